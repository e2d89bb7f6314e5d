#pragma once
/// All that is known of one run, as a value: read from its store, then kept up by its events.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/event.h"
#include "engine/recipe.h"
#include "engine/run_store.h"
#include "ui/plots/curve_data.h"

namespace ui {

struct ScoreKey {
  std::string component, task;
  auto operator<=>(const ScoreKey&) const = default;
};
struct ScorePoint {
  double step = 0, value = 0, stderr_ = 0;
  std::int64_t n = 0;
};

/// A stretch of the plan: one stage that is no fine-tuning, or one epoch of a fine-tuning stage.
struct PlanStep {
  std::int64_t first = 0, last = 0;
  std::size_t stage = 0;
  std::int64_t epoch = 0;
};

struct RunData {
  engine::RunInfo info;
  engine::Recipe recipe;
  bool has_series = false;  ///< read from the store and kept up by events from then on
  std::map<std::string, CurvePoints> series;
  std::map<ScoreKey, std::vector<ScorePoint>> scores;  ///< each task's own metric, 0..1
  std::map<ScoreKey, std::vector<ScorePoint>> perplexity;
  std::map<ScoreKey, std::vector<ScorePoint>> what_ifs;  ///< by the setting tried, as its text
  std::map<ScoreKey, std::string> metrics;  ///< the metric that `scores` or `perplexity` holds
  std::optional<engine::Progress> progress;
  std::int64_t last_seq = 0;

  /// Takes an event with a greater seq (or an unstored one); others are passed over. True when it
  /// changed something.
  bool absorb(const engine::Event& event);
  void addEvaluation(std::int64_t step, const std::string& component, const std::string& task,
                     const std::string& metric, double value, double error, std::int64_t n);

  const std::vector<ScorePoint>* score(const std::string& component, const std::string& task) const;
  std::optional<ScorePoint> lastScore(const std::string& component, const std::string& task) const;
  std::vector<std::string> components() const;  ///< those with scores, in the order of METHODS
  std::vector<std::string> tasks() const;       ///< all, local, far first, then single ones
  std::vector<PlanStep> plan() const;
  std::int64_t plannedSteps() const;
};

/// A note that belongs to a step: a line "@168 loss jumps" of the run's notes, drawn on its curves.
struct StepNote {
  std::int64_t step = 0;
  std::string text;
  bool operator==(const StepNote&) const = default;
};
std::vector<StepNote> stepNotes(const std::string& notes);  ///< in the order of their steps
/// The notes with one more line, or without the step's where `text` is empty.
std::string withStepNote(const std::string& notes, std::int64_t step, const std::string& text);

/// Half width of the 95 % interval.
inline double half95(double standard_error) { return 1.959963985 * standard_error; }

std::vector<CurvePoint> asCurve(const std::vector<ScorePoint>& points, double factor);

}  // namespace ui
