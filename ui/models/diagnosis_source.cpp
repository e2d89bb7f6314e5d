#include "ui/models/diagnosis_source.h"

#include <fstream>
#include <sstream>

#include "engine/run_store.h"
#include "ui/whole_file.h"

namespace ui {
namespace {

namespace fs = std::filesystem;

fs::path keptAt(const DiagnosisSource& source, const engine::Subject& subject) {
  const std::string name = "diagnosis-" + engine::diagnosis_key(subject, source.options) + ".json";
  return subject.checkpoint ? subject.checkpoint->parent_path() / name : fs::path(source.store.string() + ".diagnosis") / name;
}

}  // namespace

engine::Subject DiagnosisSource::subject() const {
  engine::Subject s;
  if (run == 0) {
    s.recipe.name = "builtin:tiny, the conversion's start";
    return s;
  }
  const engine::RunReader reader(store);
  const auto info = reader.run(run);
  if (!info) throw engine::InputError("the run is no longer in the store");
  s.recipe = engine::parse_recipe(info->recipe).recipe;
  s.recipe.name = info->name;
  for (const auto& c : reader.checkpoints(run))
    if (fs::exists(c.path) && (checkpoint.empty() || checkpoint == c.path)) s.checkpoint = c.path;
  if (!s.checkpoint)
    throw engine::InputError("run " + info->name + (checkpoint.empty() ? " has no checkpoint yet" : " has no longer the checkpoint " + checkpoint));
  return s;
}

std::optional<engine::Diagnosis> keptDiagnosis(const DiagnosisSource& source) {
  const fs::path file = keptAt(source, source.subject());
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::stringstream all;
  all << in.rdbuf();
  try {
    return engine::diagnosis_from_json(all.str(), file.string());
  } catch (const engine::InputError&) {
    return std::nullopt;
  }
}

engine::Diagnosis measuredDiagnosis(const DiagnosisSource& source, const engine::Diagnose& diagnose, const engine::Watch& watch) {
  const engine::Subject subject = source.subject();
  const fs::path file = keptAt(source, subject);
  engine::Diagnosis d = diagnose(subject, source.options, watch);
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  writeWhole(QString::fromStdString(file.string()), engine::to_json(d));
  return d;
}

}  // namespace ui
