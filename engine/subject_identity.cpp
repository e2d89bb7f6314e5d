#include "engine/subject_identity.h"

#include <algorithm>
#include <vector>

namespace engine {
namespace {

namespace fs = std::filesystem;

/// A line a file, sorted; a folder that is gone has none.
std::string listing(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code gone;
  for (const auto& f : fs::directory_iterator(folder, gone))
    if (f.is_regular_file(gone))
      files.push_back(f.path().filename().string() + " " + std::to_string(f.file_size(gone)) + " " +
                      std::to_string(f.last_write_time(gone).time_since_epoch().count()));
  std::ranges::sort(files);
  std::string text;
  for (const auto& f : files) text += "\n" + f;
  return text;
}

}  // namespace

std::string subject_identity(const Subject& subject, const EvaluationSpec& evaluation) {
  Recipe r = subject.recipe;
  r.name.clear();
  r.evaluation = evaluation;
  std::string text = to_resolved_yaml(r);
  if (!r.model.starts_with("builtin:")) text += listing(r.model);
  if (subject.checkpoint) text += listing(*subject.checkpoint);
  return text;
}

}  // namespace engine
