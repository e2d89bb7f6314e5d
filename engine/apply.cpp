#include "engine/apply.h"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "engine/data/json.h"
#include "engine/data/rows.h"
#include "engine/error.h"
#include "engine/eval/evaluate.h"
#include "engine/log.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
#include "engine/workspace.h"

namespace engine {
namespace {

void restore(Workspace& w, const Subject& subject) {
  if (subject.checkpoint) w.restore(subject.recipe, load_checkpoint(*subject.checkpoint).trained);
}

void write_samples(const std::filesystem::path& path, const std::vector<Sample>& samples) {
  std::ofstream out(path, std::ios::binary);
  for (const auto& s : samples) {
    Json likelihoods = Json::array(), greedy = Json::array();
    for (const auto& c : s.choices) {
      likelihoods.push_back(c.log_likelihood);
      greedy.push_back(c.greedy);
    }
    out << Json{{"task", s.task}, {"doc_id", s.doc_id}, {"component", s.component}, {"target", s.target},
                {"loglikelihoods", likelihoods}, {"greedy", greedy}, {"acc", s.acc ? 1 : 0}, {"acc_norm", s.acc_norm ? 1 : 0}}
               .dump()
        << '\n';
  }
  if (!out.flush()) throw InputError(path.string() + ": cannot be written");
}

}  // namespace

Evaluated evaluate_subject(const Subject& subject, const std::optional<std::filesystem::path>& samples) {
  const auto start = std::chrono::steady_clock::now();
  const Recipe& r = subject.recipe;
  Workspace w = open_workspace(r);
  std::vector<std::vector<std::int64_t>> held_out;
  const auto note = [](const std::string& line) { log(LogLine::Level::info, line); };
  const TokenCacheOptions options{subject.cache, static_cast<int>(r.threads), [] { return false; }, note};
  for (const auto& task : r.evaluation.tasks)
    if (task == "perplexity" && held_out.empty())
      held_out = (r.data.path == "builtin:corpus" ? TextRows::builtin(r)
                                                  : TextRows::from_files(r, w.tokenizer, options)).held_out();
  const auto tasks = load_eval_tasks(r.evaluation, w.tokenizer, w.model.config.max_positions, held_out);
  auto score = [&](const std::vector<std::string>& components, const std::vector<ComponentResult>& known) {
    return *evaluate_components(w.model, &w.conversion, tasks, components, evaluation_window(r), known, samples.has_value(),
                                [] { return false; });
  };
  // The teacher is the model as it came, so it is scored before trained weights go on top.
  const bool teacher = std::ranges::count(r.evaluation.components, "teacher") > 0;
  const EvaluationRun before = teacher ? score({"teacher"}, {}) : EvaluationRun{};
  restore(w, subject);
  EvaluationRun run = score(r.evaluation.components, before.results);
  run.samples.insert(run.samples.begin(), before.samples.begin(), before.samples.end());
  if (samples) write_samples(*samples, run.samples);
  return {0, evaluation_window(r), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          summarise(tasks, run.results)};
}

std::string generate(const Subject& subject, const std::string& prompt, const std::string& component,
                     std::int64_t max_tokens, const std::function<void(const std::string&)>& on_text) {
  torch::InferenceMode inference;
  Workspace w = open_workspace(subject.recipe);
  restore(w, subject);
  std::vector<std::int32_t> ids = w.tokenizer.encode(prompt, true);
  if (ids.empty()) throw InputError("--prompt: the tokenizer makes no token of it");
  const std::size_t given = ids.size();
  ForwardOptions options;
  options.component = component_from(component);
  options.window = evaluation_window(subject.recipe);
  const std::string begin = w.tokenizer.decode(ids, true);
  std::string shown;
  for (std::int64_t i = 0; i < max_tokens && std::ssize(ids) < w.model.config.max_positions; ++i) {
    const Tensor row = torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end())).unsqueeze(0).to(w.device);
    const Tensor last = w.model.hidden(row, &w.conversion, options).select(1, row.size(1) - 1);
    const auto next = static_cast<std::int32_t>(w.model.logits(last).argmax(-1).item<std::int64_t>());
    if (next == w.tokenizer.eos_id()) break;
    ids.push_back(next);
    const std::string text = w.tokenizer.decode(ids, true);
    if (text.size() <= begin.size() || text.ends_with("\xEF\xBF\xBD")) continue;  // a character still incomplete
    const std::string now = text.substr(begin.size());
    if (now.size() > shown.size()) on_text(now.substr(shown.size()));
    shown = now;
  }
  return ids.size() == given ? "" : shown;
}

}  // namespace engine
