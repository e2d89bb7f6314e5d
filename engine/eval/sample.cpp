#include "engine/eval/sample.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <map>

#include "engine/data/json.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Ordered = nlohmann::ordered_json;

/// The whole text, or the old file stays.
void write_file(const fs::path& path, const std::string& text) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  const fs::path temporary = path.string() + ".tmp";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) fs::rename(temporary, path, error);
  if (!out || error) throw InputError(path.string() + ": cannot be written" + (error ? ": " + error.message() : ""));
}

std::string dumped(const Ordered& value, int indent = -1) {
  return value.dump(indent, ' ', false, Ordered::error_handler_t::replace);
}

/// Python's str() of a float that json would not take.
std::string python_text(double v) {
  return std::isfinite(v) ? dumped(Ordered(v)) : v > 0 ? "inf" : v < 0 ? "-inf" : "nan";
}

Ordered finite(double v) { return std::isfinite(v) ? Ordered(v) : Ordered(python_text(v)); }

const TaskExample& example_of(const EvalTask& task, const Sample& s) {
  return task.source->examples.at(static_cast<std::size_t>(s.doc_id));
}

Ordered responses(const Sample& s, bool generated) {
  Ordered list = Ordered::array();
  if (generated) return Ordered::array({s.text});
  for (const auto& c : s.choices) list.push_back(Ordered::array({python_text(c.log_likelihood), c.greedy ? "True" : "False"}));
  return list;
}

/// One line of samples_<task>.jsonl, keys as the harness writes them.
Ordered harness_sample(const EvalTask& task, const Sample& s) {
  const TaskExample& e = example_of(task, s);
  const bool generated = task.kind == EvalTask::Kind::generate && !task.examples[static_cast<std::size_t>(s.doc_id)].prompt.empty();
  Ordered arguments = Ordered::object();
  for (std::size_t i = 0; i < e.requests.size(); ++i) {
    const auto& r = e.requests[i];
    Ordered& a = arguments["gen_args_" + std::to_string(i)];
    if (task.kind == EvalTask::Kind::rolling) {
      a = {{"arg_0", r.continuation}};
    } else if (generated) {
      a = {{"arg_0", r.context}, {"arg_1", {{"until", task.source->definition.until}, {"do_sample", false},
                                           {"max_gen_toks", task.source->definition.max_tokens}}}};
    } else {
      a = {{"arg_0", r.context}, {"arg_1", r.continuation}};
    }
  }
  const Ordered filtered = responses(s, generated);
  Ordered resps = Ordered::array();
  for (const auto& r : filtered) resps.push_back(Ordered::array({r}));
  Ordered line{{"doc_id", s.doc_id},
               {"doc", e.doc.empty() ? Ordered() : Ordered::parse(e.doc)},
               {"target", e.target},
               {"arguments", arguments},
               {"resps", resps},
               {"filtered_resps", filtered},
               {"filter", "none"}};
  Ordered metrics = Ordered::array(), values = Ordered::object();
  auto add = [&](const std::string& name, double v) {
    metrics.push_back(name);
    values[name] = finite(v);
  };
  switch (task.kind) {
    case EvalTask::Kind::generate: add(task.metric, s.value); break;
    case EvalTask::Kind::rolling: add("loglikelihood", s.choices.at(0).log_likelihood); break;
    case EvalTask::Kind::last_word:
      add("perplexity", s.choices.at(0).log_likelihood);
      add("acc", s.acc);
      break;
    case EvalTask::Kind::choice:
      add("acc", s.acc);
      if (task.source->definition.length_normalised()) add("acc_norm", s.acc_norm);
  }
  line["metrics"] = metrics;
  line["doc_hash"] = e.doc_hash;
  line["prompt_hash"] = prompt_hash(e);
  line["target_hash"] = sha256_hex(e.target);
  for (const auto& [name, v] : values.items()) line[name] = v;
  return line;
}

Ordered metric_rows(const std::vector<Score>& scores, const std::string& component, const std::string& task) {
  Ordered row{{"alias", task}};
  for (const auto& s : scores) {
    if (s.component != component || s.task != task) continue;
    row[s.metric + ",none"] = finite(s.value);
    row[s.metric + "_stderr,none"] = s.stderr_ > 0 ? finite(s.stderr_) : Ordered("N/A");
  }
  return row;
}

/// results_<time>.json of one component.
Ordered harness_results(const std::string& component, const std::vector<EvalTask>& tasks, const std::vector<Score>& scores,
                        const EvaluationOrigin& origin) {
  Ordered results = Ordered::object(), groups = Ordered::object(), members = Ordered::object(), configs = Ordered::object(),
          versions = Ordered::object(), shots = Ordered::object(), counts = Ordered::object(), hashes = Ordered::object();
  for (const auto& t : tasks) {
    for (const auto& g : t.groups) {
      groups[g] = results[g] = metric_rows(scores, component, g);
      members[g].push_back(t.name);
    }
    results[t.name] = metric_rows(scores, component, t.name);
    shots[t.name] = origin.shots;
    counts[t.name] = {{"original", t.examples.size()}, {"effective", t.examples.size()}};
    if (!t.source) continue;
    versions[t.name] = t.source->definition.version;
    hashes[t.name] = task_hash(t.source->definition);
    configs[t.name] = {{"task", t.name}, {"dataset_path", t.source->file.string()}, {"split", t.source->split},
                       {"definition", task_text(t.source->definition)}};
  }
  Ordered out{{"results", results}};
  if (!groups.empty()) out["groups"] = groups;
  out["group_subtasks"] = members;
  out["configs"] = configs;
  out["versions"] = versions;
  out["n-shot"] = shots;
  out["n-samples"] = counts;
  out["config"] = {{"model", "equipoise"},
                   {"model_args", {{"pretrained", origin.model}, {"checkpoint", origin.checkpoint}, {"component", component},
                                   {"window", origin.window}}},
                   {"device", origin.device},
                   {"dtype", origin.dtype},
                   {"limit", origin.limit > 0 ? Ordered(origin.limit) : Ordered()},
                   {"random_seed", origin.seed}};
  out["task_hashes"] = hashes;
  out["tokenizer_hash"] = origin.tokenizer_hash;
  out["tokenizer_policy"] = origin.bos_policy;
  out["equipoise_version"] = EQUIPOISE_VERSION;
  out["model_name"] = origin.model;
  return out;
}

std::string time_stamp() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::time_t t = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&t, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%S", &utc);
  return text;
}

}  // namespace

void write_samples(const fs::path& file, const std::vector<EvalTask>& tasks, const std::vector<Sample>& samples) {
  std::string text;
  for (const auto& s : samples) {
    const EvalTask& task = tasks.at(s.task);
    Ordered likelihoods = Ordered::array(), greedy = Ordered::array();
    for (const auto& c : s.choices) {
      likelihoods.push_back(finite(c.log_likelihood));
      greedy.push_back(c.greedy);
    }
    Ordered line{{"task", task.name}, {"doc_id", s.doc_id}, {"component", s.component}, {"target", s.target},
                 {"loglikelihoods", likelihoods}, {"greedy", greedy}};
    if (task.kind == EvalTask::Kind::generate) {
      line["text"] = s.text;
      line[task.metric] = s.value;
    } else {
      line["acc"] = s.acc ? 1 : 0;
      line["acc_norm"] = s.acc_norm ? 1 : 0;
    }
    text += dumped(line) + '\n';
  }
  write_file(file, text);
}

void write_harness_results(const fs::path& folder, const std::vector<EvalTask>& tasks, const std::vector<Sample>& samples,
                           const std::vector<Score>& scores, const EvaluationOrigin& origin) {
  const std::string time = time_stamp();
  std::map<std::string, std::map<std::size_t, std::string>> lines;  // by component and task
  for (const auto& s : samples) {
    auto& own = lines[s.component];
    if (tasks.at(s.task).source) own[s.task] += dumped(harness_sample(tasks[s.task], s)) + '\n';
  }
  for (const auto& [component, by_task] : lines) {
    for (const auto& [task, text] : by_task)
      write_file(folder / component / ("samples_" + tasks[task].name + "_" + time + ".jsonl"), text);
    Ordered results = harness_results(component, tasks, scores, origin);
    results["date"] = static_cast<double>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    write_file(folder / component / ("results_" + time + ".json"), dumped(results, 2) + '\n');
  }
}

}  // namespace engine
