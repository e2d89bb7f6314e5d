/// equipoise: the headless face. Every action of the window is a command here; exit codes: 0 done, 1 failed, 2 wrong
/// use, 3 cancelled, each with one sentence on standard error.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "app/commands.h"
#include "engine/error.h"
#include "engine/run_store.h"

namespace {

/// The first word that is neither an option nor an option's value, where it names no command.
std::string unknown_command(const CLI::App& cli, int argc, char** argv) {
  const auto commands = cli.get_subcommands([](const CLI::App*) { return true; });
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--store" || word == "--json") ++i;
    else if (!word.starts_with("-"))
      return std::ranges::any_of(commands, [&](const CLI::App* c) { return c->get_name() == word; }) ? "" : word;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Equipoise: convert Transformers to hybrid attention, and see whether the linear half is used"};
  cli.set_version_flag("--version", EQUIPOISE_VERSION);
  cli.require_subcommand(1);
  cli.fallthrough();
  app::Common common;
  cli.add_option("--store", common.store, "The store (one SQLite file); default: the XDG data folder");
  cli.add_option("--json", common.json, "Machine-readable results into FILE, or - for standard output");
  int code = 0;
  app::add_run_commands(cli, common, code);
  app::add_trash_commands(cli, common, code);
  app::add_model_commands(cli, common, code);
  app::add_inspect_commands(cli, common, code);
  app::add_load_command(cli, common);
  app::add_paper_command(cli, common);
  app::add_recipe_command(cli, common);
  app::add_interop_commands(cli, common);
  app::add_sweep_command(cli, common, code);
  app::add_bench_command(cli, common, code);
  app::add_diagnose_command(cli, common, code);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (const std::string word = unknown_command(cli, argc, argv); e.get_exit_code() != 0 && !word.empty()) {
      std::cerr << "equipoise: there is no command \"" << word << "\"; `equipoise --help` lists them\n";
      return 2;
    }
    return cli.exit(e) == 0 ? 0 : 2;
  } catch (const app::WrongUse& e) {
    std::cerr << "equipoise: " << e.what() << '\n';
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "equipoise: " << e.what() << '\n';
    return 1;
  }
  return code;
}
