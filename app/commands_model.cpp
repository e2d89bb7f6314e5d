#include <algorithm>
#include <cinttypes>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <utility>

#include <unistd.h>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/apply.h"
#include "engine/attention/components.h"
#include "engine/data/json.h"
#include "engine/data/tokenizer.h"
#include "engine/doctor.h"
#include "engine/error.h"
#include "engine/pretrain.h"
#include "engine/verify.h"

namespace app {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(const std::string& text) {
  return std::get<std::vector<std::string>>(*engine::from_text(text, engine::Value(std::vector<std::string>{})));
}

}  // namespace

engine::Subject subject(const Common& common, const SubjectOptions& o) {
  if (o.model.empty() == o.run.empty()) throw WrongUse("name either --model or --run");
  engine::Subject s;
  if (!o.model.empty()) {
    s.recipe.model = o.model;
  } else {
    const engine::RunReader reader(default_paths(common.store).store);
    const auto run = find_run(reader, o.run);
    s.recipe = engine::parse_recipe(run.recipe).recipe;
    const auto all = reader.checkpoints(run.id);
    for (const auto& c : all)
      if (fs::exists(c.path) && (o.checkpoint.empty() || o.checkpoint == c.kind || o.checkpoint == std::to_string(c.step)))
        s.checkpoint = c.path;
    if (!s.checkpoint)
      throw engine::InputError("run " + run.name + " has no " + (o.checkpoint.empty() ? "checkpoint" : "checkpoint \"" + o.checkpoint + "\"") + " that is still there");
  }
  if (o.window > 0) s.recipe.attention.window = s.recipe.evaluation.window = o.window;
  return s;
}

namespace {

Json scores_json(const engine::Evaluated& e) {
  Json rows = Json::array();
  for (const auto& s : e.scores)
    rows.push_back({{"component", s.component}, {"task", s.task}, {"metric", s.metric}, {"value", number(s.value)},
                    {"stderr", number(s.stderr_)}, {"n", s.n}});
  return rows;
}

struct EvaluateOptions {
  SubjectOptions subject;
  std::string tasks, components = "teacher,hybrid,swa,linear,none", data, split, samples, harness, text, sampler = "task";
  std::int64_t shots = 0, shots_seed = 1234, limit = 0, batch_size = 0;
};

/// One line on a terminal that renews itself; nothing elsewhere.
void show_progress(const std::string& component, std::int64_t done, std::int64_t all) {
  static std::int64_t shown = -1;
  const std::int64_t share = all > 0 ? 100 * done / all : 100;
  if (!isatty(2) || share == std::exchange(shown, share)) return;
  std::cerr << "\r\033[K" << component << "  " << done << " of " << all << " requests" << (done == all ? "\r\033[K" : "") << std::flush;
}

Json checks_json(const std::vector<engine::BatchCheck>& checks) {
  Json rows = Json::array();
  for (const auto& c : checks)
    rows.push_back({{"component", c.component}, {"requests", c.requests}, {"largest_difference", number(c.worst)}});
  return rows;
}

void evaluate(const Common& common, const EvaluateOptions& o, int& code) {
  engine::Subject s = subject(common, o.subject);
  auto& e = s.recipe.evaluation;
  e.tasks = words(o.tasks);
  e.components = words(o.components);
  e.data = o.data;
  e.split = o.split;
  e.shots = o.shots;
  e.sampler = o.sampler;
  e.shots_seed = o.shots_seed;
  e.limit = o.limit;
  if (!o.text.empty()) {
    s.recipe.data.path = o.text;
    s.recipe.data.validation_share = 0.5;
  }
  for (const auto& c : e.components) engine::component_from(c);
  const bool text = std::count(e.tasks.begin(), e.tasks.end(), "perplexity") > 0;
  if (text) s.cache = default_paths(common.store).cache;
  for (const auto& p : engine::check(s.recipe))
    if (!p.warning && (p.path.starts_with("evaluation.") || (text && p.path == "data.path")))
      throw WrongUse(p.path + ": " + p.message);
  const std::atomic<int>& signalled = watch_signals();
  engine::EvaluateOptions options;
  if (!o.samples.empty()) options.samples = o.samples;
  if (!o.harness.empty()) options.harness = o.harness;
  options.batch_rows = o.batch_size;
  options.stop = [&] { return signalled != 0; };
  options.progress = show_progress;
  engine::EvaluationReport report;
  try {
    report = engine::evaluate_subject(s, options);
  } catch (const engine::Cancelled&) {
    std::cerr << "\nequipoise: stopped"
              << (o.samples.empty() ? "\n" : "; every score so far is in " + o.samples + ".partial, the same command goes on from there\n");
    code = 3;
    return;
  }
  const engine::Evaluated& result = report.scores;
  write_json(common, {{"window", result.window}, {"seconds", result.seconds}, {"scores", scores_json(result)},
                      {"batch_checks", checks_json(report.checks)}, {"notes", report.notes}});
  for (const auto& note : report.notes) std::cerr << note << '\n';
  for (const auto& c : report.checks)
    if (c.worst > 1e-2) std::cerr << c.component << ": a request scored alone differs by " << number(c.worst).dump() << " from its batch\n";
  if (common.json == "-") return;
  for (const auto& row : result.scores)
    std::printf("%-16s %-20s %-15s %s  (n %lld)\n", row.component.c_str(), row.task.c_str(), row.metric.c_str(),
                engine::is_share(row.metric) ? percent(row.value, row.stderr_).c_str() : engine::to_text(engine::Value(row.value)).c_str(),
                static_cast<long long>(row.n));
}

std::vector<std::int64_t> read_ids(const std::string& text) {
  std::string list = text;
  if (fs::is_regular_file(text)) {
    std::ifstream in(text);
    std::stringstream all;
    all << in.rdbuf();
    list = all.str();
    for (char& c : list)
      if (c == '\n' || c == ' ' || c == '[' || c == ']') c = c == '\n' || c == ' ' ? ',' : ' ';
    while (list.find(",,") != std::string::npos) list.replace(list.find(",,"), 2, ",");
    while (!list.empty() && (list.back() == ',' || list.back() == ' ')) list.pop_back();
  }
  const auto ids = engine::from_text(list, engine::Value(std::vector<std::int64_t>{}));
  if (!ids || std::get<std::vector<std::int64_t>>(*ids).empty())
    throw WrongUse("--ids: expected whole numbers separated by commas, or a file of them");
  return std::get<std::vector<std::int64_t>>(*ids);
}

void tokenize(const std::string& path, bool special) {
  const auto tokenizer = engine::Tokenizer::load(path);
  std::string line;
  for (std::int64_t n = 1; std::getline(std::cin, line); ++n) {
    if (line.empty()) continue;
    const auto document = engine::parse_json_document(line, "standard input, line " + std::to_string(n));
    std::cout << Json(tokenizer.encode(document.view().as_string(), special)).dump() << '\n';
  }
}

void verify(const Common& common, const std::string& folder, int& code) {
  const auto rows = engine::verify(folder);
  struct Worst { double error = 0, tolerance = 0; std::string where; std::int64_t count = 0, failed = 0; };
  std::map<std::string, Worst> groups;
  Json list = Json::array();
  for (const auto& r : rows) {
    Worst& w = groups[r.backend + ", " + r.dtype + (r.file.ends_with(".safetensors") ? ", attention" : ", models")];
    ++w.count;
    w.failed += !r.passed();
    w.tolerance = r.tolerance;
    if (!(r.error <= w.error)) w.error = r.error, w.where = r.file + " " + r.tensor;
    list.push_back({{"file", r.file}, {"backend", r.backend}, {"dtype", r.dtype}, {"tensor", r.tensor},
                    {"error", number(r.error)}, {"tolerance", r.tolerance}, {"passed", r.passed()}});
    if (!r.passed()) code = 1;
  }
  write_json(common, {{"passed", code == 0}, {"rows", list}});
  if (common.json == "-") return;
  for (const auto& [name, w] : groups)
    std::printf("%s %-36s worst %.2e of %.0e  (%s; %" PRId64 " tensors, %" PRId64 " failed)\n", w.failed ? "FAIL" : "pass", name.c_str(),
                w.error, w.tolerance, w.where.c_str(), w.count, w.failed);
}

}  // namespace

void add_model_commands(CLI::App& cli, const Common& common, int& code) {
  static EvaluateOptions e;
  static SubjectOptions s;
  static std::string model, ids, out, component = "teacher", tokenizer, folder, prompt;
  static std::int64_t window = 0, max_tokens = 64;
  static bool no_special = false;
  static engine::PretrainOptions p;

  auto add_subject = [](CLI::App* c, SubjectOptions& o) {
    c->add_option("--model", o.model, "builtin:tiny or a Hugging Face folder");
    c->add_option("--run", o.run, "A run's id or name");
    c->add_option("--checkpoint", o.checkpoint, "Of the run: a step, best or stage-end; default: the newest");
    c->add_option("--window", o.window, "Window in tokens, the query itself included; default: the recipe's");
  };
  auto* evaluate_command = cli.add_subcommand("evaluate", "Score components on tasks");
  add_subject(evaluate_command, e.subject);
  evaluate_command->add_option("--tasks", e.tasks, "Separated by commas: builtin:all, piqa, mmlu, …, perplexity, or files of own tasks (dir/task.yaml)")->required();
  evaluate_command->add_option("--components", e.components, "Component names separated by commas")->capture_default_str();
  evaluate_command->add_option("--data", e.data, "Folder that holds <dataset>/[<config>.]<split>.jsonl or .parquet, or the Hub's own folders");
  evaluate_command->add_option("--text", e.text, "For perplexity: a file or folder of text; at most 64 of its documents are scored, half of them drawn by hash");
  evaluate_command->add_option("--split", e.split, "Default: the split the LM Evaluation Harness uses");
  evaluate_command->add_option("--shots", e.shots, "Solved examples before each question")->capture_default_str();
  evaluate_command->add_option("--sampler", e.sampler, "Of the shots: task (the task's own), first-n, seeded")->capture_default_str()
      ->check(CLI::IsMember({"task", "first-n", "seeded"}));
  evaluate_command->add_option("--shots-seed", e.shots_seed, "Of the seeded sampler")->capture_default_str();
  evaluate_command->add_option("--limit", e.limit, "First examples of each task; 0: all")->capture_default_str();
  evaluate_command->add_option("--samples", e.samples, "One JSON object a line, example by example; scores are kept in FILE.partial on the way, so that a stopped evaluation goes on");
  evaluate_command->add_option("--harness", e.harness, "Folder for results and samples in the LM Evaluation Harness's layout, a folder a component");
  evaluate_command->add_option("--batch-size", e.batch_size, "Most rows of one forward pass; 0: as many as fit 16,384 tokens")->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  evaluate_command->callback([&] { evaluate(common, e, code); });

  auto* logits = cli.add_subcommand("logits", "Write logits and attention outputs of one sequence as safetensors");
  logits->add_option("--model", model, "builtin:tiny or a Hugging Face folder")->required();
  logits->add_option("--ids", ids, "Token ids separated by commas, or a file of them")->required();
  logits->add_option("--out", out, "The safetensors file to write")->required();
  logits->add_option("--component", component, "What each attention returns")->capture_default_str();
  logits->add_option("--window", window, "Window in tokens; 0: 64")->capture_default_str();
  logits->callback([] { engine::write_logits(model, read_ids(ids), component, window, out); });

  auto* tokenize_command = cli.add_subcommand("tokenize", "Lines of JSON strings on standard input to JSON arrays of ids");
  tokenize_command->add_option("--tokenizer", tokenizer, "tokenizer.json or the folder that holds it")->required();
  tokenize_command->add_flag("--no-special", no_special, "Without the tokens that the tokenizer adds (BOS, …)");
  tokenize_command->callback([] { tokenize(tokenizer, !no_special); });

  auto* verify_command = cli.add_subcommand("verify", "Recompute reference vectors; exit code 1 beyond tolerance");
  verify_command->add_option("folder", folder, "Folder of attention cases and models with expected values")->required();
  verify_command->callback([&] { verify(common, folder, code); });

  auto* generate_command = cli.add_subcommand("generate", "Continue a prompt, greedily, in one component");
  add_subject(generate_command, s);
  generate_command->add_option("--prompt", prompt, "The text to continue")->required();
  generate_command->add_option("--component", component, "What each attention returns")->capture_default_str();
  generate_command->add_option("--max-tokens", max_tokens, "At most so many new tokens")->capture_default_str();
  generate_command->callback([&] {
    const std::string text = engine::generate(subject(common, s), prompt, component, max_tokens, [&](const std::string& piece) {
      if (common.json != "-") std::cout << piece << std::flush;
    });
    if (common.json != "-") std::cout << '\n';
    write_json(common, {{"prompt", prompt}, {"component", component}, {"text", text}});
  });

  auto* pretrain = cli.add_subcommand("pretrain", "Make builtin:tiny, the embedded base model, from its seed");
  pretrain->add_option("--to", p.folder, "Folder for config.json, model.safetensors, tokenizer.json")->required();
  pretrain->add_option("--seed", p.seed, "Decides weights, text and order")->capture_default_str();
  pretrain->add_option("--scale", p.scale, "Share of the full number of steps, for trials")->capture_default_str();
  pretrain->callback([&] {
    const auto rows = engine::pretrain(p, [](const std::string& line) { std::cerr << line << '\n'; });
    Json list = Json::array();
    for (const auto& r : rows) list.push_back({{"task", r.task}, {"acc", r.value}, {"n", r.n}});
    write_json(common, {{"folder", p.folder.string()}, {"tasks", list}});
  });

  auto* doctor = cli.add_subcommand("doctor", "Versions, devices, the store's integrity, what is missing and how to get it");
  doctor->callback([&] {
    const auto rows = engine::doctor(default_paths(common.store).store);
    Json list = Json::array();
    for (const auto& r : rows) {
      list.push_back({{"what", r.what}, {"found", r.found}, {"ok", r.ok}, {"advice", r.advice}});
      if (common.json != "-")
        std::printf("%s  %-18s %s%s\n", r.ok ? "ok" : "--", r.what.c_str(), r.found.c_str(), r.advice.empty() ? "" : ("\n        " + r.advice).c_str());
      if (!r.ok && r.required) code = 1;
    }
    write_json(common, list);
  });
}

}  // namespace app
