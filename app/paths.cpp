#include "app/paths.h"

#include <cstdlib>

#include "engine/error.h"

namespace app {
namespace {

namespace fs = std::filesystem;

fs::path base(const char* variable, const char* below_home) {
  const char* set = std::getenv(variable);
  if (set && *set == '/') return fs::path(set) / "equipoise";
  const char* home = std::getenv("HOME");
  return fs::path(home && *home ? home : "/tmp") / below_home / "equipoise";
}

void make(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw engine::InputError(folder.string() + ": cannot be made (" + error.message() + "); set --store or XDG_DATA_HOME");
}

}  // namespace

engine::Paths default_paths(const std::optional<fs::path>& store) {
  engine::Paths p;
  p.store = store ? fs::absolute(*store) : base("XDG_DATA_HOME", ".local/share") / "equipoise.db";
  p.checkpoints = p.store.string() + ".runs";
  p.log = base("XDG_STATE_HOME", ".local/state") / "equipoise.log";
  p.cache = base("XDG_CACHE_HOME", ".cache");
  for (const auto& folder : {p.store.parent_path(), p.log.parent_path(), p.cache}) make(folder);
  return p;
}

}  // namespace app
