#pragma once
/// What is diagnosed: settled beside the widgets, then read and measured on another thread. A diagnosis is kept beside
/// the checkpoint that it is of, or beside the store where there is none.

#include <filesystem>
#include <optional>
#include <string>

#include "engine/diagnose.h"

namespace ui {

struct DiagnosisSource {
  std::int64_t run = 0;           ///< 0: the embedded model at the conversion's start
  std::string checkpoint;         ///< its folder; empty: the newest that is still there
  std::filesystem::path store;
  engine::DiagnoseOptions options;

  engine::Subject subject() const;  ///< throws InputError: no such run, no checkpoint
};

/// Kept earlier; nothing where there is none or it cannot be read (it is measured again then). Throws as subject().
std::optional<engine::Diagnosis> keptDiagnosis(const DiagnosisSource& source);
/// Measures and keeps it; a read-only folder costs a new measurement next time, nothing else.
engine::Diagnosis measuredDiagnosis(const DiagnosisSource& source, const engine::Diagnose& diagnose, const engine::Watch& watch);

}  // namespace ui
