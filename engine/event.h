#pragma once
/// What happens, as a list of small values that comes up and is never answered. Numbers, strings and ids only.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace engine {

using RunId = std::int64_t;  ///< the run's row in its store; 0 is no run

enum class RunState { queued, running, done, failed, cancelled, interrupted };
const char* to_string(RunState state);                 ///< "queued", ...
RunState run_state_from(const std::string& text);      ///< interrupted for an unknown word

/// Also sent when a run is resumed: from here on its points behind the checkpoint are superseded in the store.
struct RunQueued { std::string name; };
struct RunStarted { std::string device; std::string dtype; };

/// A stage begins. Steps are optimizer steps; `first_step` counts from the run's start.
struct StageStarted {
  std::int64_t stage = 0, stages = 0;
  std::string kind;       ///< transfer, finetune
  std::string title;      ///< "transfer: attention-weights"
  std::int64_t first_step = 0, steps = 0, steps_per_epoch = 0;
};

/// Values of several series at one step (global optimizer step). Non-finite values are kept as they are.
struct Points {
  std::int64_t step = 0;
  std::vector<std::pair<std::string, double>> values;  ///< series names: see series.md table in README
};

/// For the progress bar; not stored.
struct Progress {
  std::string phase;  ///< "loading model", "train", "evaluate", "checkpoint"
  std::int64_t stage = 0, step = 0, stage_steps = 0, total_step = 0, total_steps = 0;
  double tokens_per_s = 0, eta_stage_s = 0, eta_run_s = 0;
};

/// One number of an evaluation. Task "all", "local", "far" are averages over tasks; component "delta_h_swa" and
/// "delta_la_na" are differences in the same unit (accuracy in 0..1) with a paired standard error.
struct Score {
  std::string component, task, metric;  ///< metric: acc, acc_norm, f1, …, perplexity
  double value = 0, stderr_ = 0;
  std::int64_t n = 0;
  std::vector<std::uint8_t> outcomes;   ///< per example, in file order: 1 right; empty for averages and differences
};
bool is_share(const std::string& metric);  ///< 0…1, shown in percent; else a perplexity or bits, lower is better
/// A task's own metric comes first; what else it measures follows.
struct Evaluated {
  std::int64_t step = 0;
  std::int64_t window = 0;
  double seconds = 0;
  std::vector<Score> scores;
};

struct CheckpointSaved {
  std::int64_t step = 0, stage = 0;
  std::string path;    ///< folder
  std::string kind;    ///< "step", "stage-end", "best", "stopped"
  std::int64_t bytes = 0;
};

struct LogLine {
  enum class Level { debug, info, warning, error } level = Level::info;
  std::string text;
};
const char* to_string(LogLine::Level level);                 ///< "debug", ...
LogLine::Level log_level_from(const std::string& text);      ///< info for an unknown word

/// Exactly one per attempt. `state` is done, failed or cancelled.
struct RunEnded {
  RunState state = RunState::done;
  std::string message;  ///< one sentence
  double seconds = 0;
};

using EventBody = std::variant<RunQueued, RunStarted, StageStarted, Points, Progress, Evaluated, CheckpointSaved,
                               LogLine, RunEnded>;

struct Event {
  RunId run = 0;
  std::int64_t seq = 0;  ///< rises by one per stored event of the run; 0 for events that are not stored (Progress)
  EventBody body;
};

}  // namespace engine
