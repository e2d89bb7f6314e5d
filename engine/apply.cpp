#include "engine/apply.h"

#include <algorithm>
#include <chrono>

#include "engine/data/rows.h"
#include "engine/error.h"
#include "engine/eval/evaluate.h"
#include "engine/log.h"
#include "engine/model/decoding.h"
#include "engine/model/load.h"
#include "engine/hash_text.h"
#include "engine/subject_identity.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
#include "engine/workspace.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

void restore(Workspace& w, const Subject& subject) {
  if (subject.checkpoint) w.restore(subject.recipe, load_checkpoint(*subject.checkpoint).trained);
}

/// Everything that decides a score, in one line: kept scores of anything else are not taken over.
std::string identity(const Subject& subject, const Workspace& w) {
  EvaluationSpec deciding;
  deciding.window = subject.recipe.evaluation.window;
  deciding.ablation_weights = subject.recipe.evaluation.ablation_weights;
  return short_hash(subject_identity(subject, deciding) + w.device.str() + dtype_name(w.dtype));
}

std::vector<std::vector<std::int64_t>> held_out_rows(const Subject& subject, const Tokenizer& tokenizer,
                                                     const std::function<bool()>& stop) {
  const Recipe& r = subject.recipe;
  if (std::ranges::count(r.evaluation.tasks, "perplexity") == 0) return {};
  if (r.data.path == "builtin:corpus") return TextRows::builtin(r).held_out();
  const auto note = [](const std::string& line) { log(LogLine::Level::info, line); };
  return TextRows::from_files(r, tokenizer, {subject.cache, static_cast<int>(r.threads), stop, note}).held_out();
}

}  // namespace

EvaluationReport evaluate_subject(const Subject& subject, const EvaluateOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Recipe& r = subject.recipe;
  Workspace w = open_workspace(r);
  const auto tasks = load_eval_tasks(r.evaluation, w.tokenizer, w.model.config.max_positions, held_out_rows(subject, w.tokenizer, options.stop),
                                     options.harness.has_value());
  std::optional<ScoreJournal> journal;
  if (options.samples) journal.emplace(fs::path(options.samples->string() + ".partial"), identity(subject, w));
  auto score = [&](const std::vector<std::string>& components, const std::vector<ComponentResult>& known) {
    EvaluationPlan plan;
    plan.components = components;
    plan.window = r.evaluation.window;  // 0: each layer's own
    plan.batches.rows = options.batch_rows;
    plan.known = known;
    plan.keep_samples = true;
    plan.recheck = options.recheck;
    plan.journal = journal ? &*journal : nullptr;
    plan.progress = options.progress;
    auto run = evaluate_components(w.model, &w.conversion, w.tokenizer, tasks, plan, options.stop);
    if (!run) throw Cancelled{};
    return std::move(*run);
  };
  // The teacher is the model as it came, so it is scored before trained weights go on top.
  EvaluationRun before, run;
  if (std::ranges::count(r.evaluation.components, "teacher") > 0) before = score({"teacher"}, {});
  restore(w, subject);
  run = score(r.evaluation.components, before.results);

  EvaluationReport report;
  report.samples = std::move(before.samples);
  std::ranges::move(run.samples, std::back_inserter(report.samples));
  report.checks = std::move(before.checks);
  std::ranges::move(run.checks, std::back_inserter(report.checks));
  for (const auto& task : tasks) report.notes.insert(report.notes.end(), task.notes.begin(), task.notes.end());
  report.scores = {0, evaluation_window(r), 0, summarise(tasks, run.results)};
  if (options.harness) {
    const EvaluationOrigin origin{r.model, subject.checkpoint ? subject.checkpoint->string() : "", w.device.str(),
                                  dtype_name(w.dtype), hex_digits(w.tokenizer.hash()), w.tokenizer.policy(), evaluation_window(r),
                                  r.evaluation.shots, r.evaluation.limit, r.seed};
    write_harness_results(*options.harness, tasks, report.samples, report.scores.scores, origin);
  }
  if (options.samples) write_samples(*options.samples, tasks, report.samples);
  if (journal) journal->remove();
  report.scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

std::string generate(const Subject& subject, const std::string& prompt, const std::string& component,
                     std::int64_t max_tokens, const std::function<void(const std::string&)>& on_text) {
  Workspace w = open_workspace(subject.recipe);
  restore(w, subject);
  const std::vector<std::int32_t> ids = w.tokenizer.encode(prompt, true);
  if (ids.empty()) throw InputError("--prompt: the tokenizer makes no token of it");
  const auto capacity = std::min(w.model.config.max_positions, std::ssize(ids) + max_tokens);
  if (std::ssize(ids) > capacity)
    throw InputError("--prompt: " + std::to_string(ids.size()) + " tokens are more than the model's " +
                     std::to_string(w.model.config.max_positions) + " positions");
  ForwardOptions options;
  options.component = component_from(component);
  options.window = subject.recipe.evaluation.window;
  // A few tokens of the prompt go before the new ones, so that the decoder keeps the space between them.
  const std::vector<std::int32_t> before(ids.end() - std::min<std::ptrdiff_t>(8, std::ssize(ids)), ids.end());
  const std::string begin = w.tokenizer.decode(before, true);
  std::string shown;
  auto show = [&](const std::vector<std::int32_t>& so_far) {
    std::vector<std::int32_t> all = before;
    all.insert(all.end(), so_far.begin(), so_far.end());
    const std::string text = w.tokenizer.decode(all, true);
    if (text.size() <= begin.size() || text.ends_with("\xEF\xBF\xBD")) return true;  // a character still incomplete
    const std::string now = text.substr(begin.size());
    if (now.size() > shown.size()) on_text(now.substr(shown.size()));
    shown = now;
    return true;
  };
  if (max_tokens > 0)
    decode_greedily(w.model, &w.conversion, options, ids, w.tokenizer.eos_id().value_or(-1), capacity, show);
  return shown;
}

}  // namespace engine
