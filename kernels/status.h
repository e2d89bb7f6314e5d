#pragma once
/// What a kernel answers. Kernels never throw.

#include <string>

namespace kernels {

enum class StatusCode {
  ok,
  invalid,        ///< arguments contradict each other
  unsupported,    ///< correct arguments that this form of the operator does not take
  out_of_memory,  ///< scratch memory could not be had
  no_device,
};

struct Status {
  StatusCode code = StatusCode::ok;
  std::string text;  ///< what was found and what was expected; empty for ok

  bool ok() const { return code == StatusCode::ok; }
};

}  // namespace kernels
