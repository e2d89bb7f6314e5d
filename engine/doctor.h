#pragma once
/// What this installation and machine have. No torch in this header.

#include <filesystem>
#include <string>
#include <vector>

namespace engine {

struct DoctorRow {
  std::string what, found, advice;
  bool ok = true;
  bool required = false;  ///< not ok: the program cannot do its work
};

std::vector<DoctorRow> doctor(const std::filesystem::path& store);

}  // namespace engine
