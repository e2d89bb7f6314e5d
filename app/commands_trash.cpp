#include <iostream>
#include <set>

#include <unistd.h>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/error.h"
#include "engine/execute.h"
#include "engine/session.h"

namespace app {
namespace {

struct TrashOptions {
  std::vector<std::string> names;
  bool all = false, yes = false;
};

engine::RunInfo find_trashed(const engine::RunReader& reader, const std::string& text) {
  if (auto run = reader.find_in_trash(text)) return *run;
  throw engine::InputError("no run \"" + text + "\" in the trash; `equipoise runs --trash` lists what is there");
}

/// All are found before anything is done; one that is named twice counts once.
template <class Find>
std::vector<engine::RunInfo> found(const engine::RunReader& reader, const std::vector<std::string>& names, Find find) {
  std::vector<engine::RunInfo> runs;
  std::set<engine::RunId> seen;
  for (const auto& name : names)
    if (auto run = find(reader, name); seen.insert(run.id).second) runs.push_back(std::move(run));
  return runs;
}

std::vector<engine::RunId> ids_of(const std::vector<engine::RunInfo>& runs) {
  std::vector<engine::RunId> ids;
  for (const auto& run : runs) ids.push_back(run.id);
  return ids;
}

void tell(const Common& common, const char* done, const std::vector<engine::RunInfo>& runs, const std::string& next) {
  Json out = Json::object();
  out[done] = ids_of(runs);
  write_json(common, out);
  for (const auto& run : runs) std::cerr << "  " << run.id << "  " << run.name << '\n';
  std::cerr << runs.size() << (runs.size() == 1 ? " run " : " runs ") << done << next << '\n';
}

/// Into the trash or back.
template <class Find>
void move_runs(const Common& common, const TrashOptions& o, Find find, void (engine::Session::*move)(const std::vector<engine::RunId>&),
               const char* done, const std::string& next) {
  const engine::Paths paths = default_paths(common.store);
  engine::Session session(paths, engine::execute);
  const auto runs = found(engine::RunReader(paths.store), o.names, find);
  (session.*move)(ids_of(runs));
  tell(common, done, runs, next);
}

void delete_runs(const Common& common, const TrashOptions& o) {
  move_runs(common, o, find_run, &engine::Session::trash, "deleted",
            ", kept in the trash: `equipoise restore RUN` brings one back, `equipoise purge` deletes for good");
}

void restore_runs(const Common& common, const TrashOptions& o) {
  move_runs(common, o, find_trashed, &engine::Session::restore, "restored", "");
}

/// Typed on a terminal, or --yes.
bool confirmed(const std::vector<engine::RunInfo>& runs, bool yes) {
  if (yes) return true;
  for (const auto& run : runs) std::cerr << "  " << run.id << "  " << run.name << '\n';
  if (!isatty(0)) throw WrongUse("purge deletes for good; add --yes where no one can be asked");
  std::cerr << "Type yes to delete " << (runs.size() == 1 ? "this run" : "these runs") << " and every checkpoint for good: " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

int purge_runs(const Common& common, const TrashOptions& o) {
  if (o.names.empty() != o.all) throw WrongUse("name runs of the trash, or --all");
  const engine::Paths paths = default_paths(common.store);
  engine::Session session(paths, engine::execute);
  const engine::RunReader reader(paths.store);
  std::vector<engine::RunInfo> runs = found(reader, o.names, find_trashed);
  if (o.all) {
    runs = reader.runs();
    std::erase_if(runs, [](const auto& run) { return run.trashed_ms == 0; });
  }
  if (!runs.empty() && !confirmed(runs, o.yes)) {
    std::cerr << "equipoise: nothing was deleted\n";
    return 3;
  }
  for (const auto& run : runs) session.remove(run.id);
  tell(common, "purged", runs, "");
  return 0;
}

}  // namespace

void add_trash_commands(CLI::App& cli, const Common& common, int& code) {
  static TrashOptions o;
  auto* remove = cli.add_subcommand("delete", "Move runs to the trash: out of every list, with points and checkpoints kept");
  remove->add_option("runs", o.names, "Ids or names")->required();
  remove->callback([&] { delete_runs(common, o); });

  auto* restore = cli.add_subcommand("restore", "Bring runs back from the trash, as they were");
  restore->add_option("runs", o.names, "Ids or names of runs in the trash")->required();
  restore->callback([&] { restore_runs(common, o); });

  auto* purge = cli.add_subcommand("purge", "Delete runs of the trash for good, with their points and checkpoints");
  purge->add_option("runs", o.names, "Ids or names of runs in the trash");
  purge->add_flag("--all", o.all, "Every run in the trash");
  purge->add_flag("--yes", o.yes, "Without asking");
  purge->callback([&] { code = purge_runs(common, o); });
}

}  // namespace app
