#include "ui/models/run_data.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace ui {
namespace {

/// A step that is not beyond the last one takes its place: a resumed run goes over steps it has
/// gone back behind.
template <class Points, class Point>
void put(Points& points, const Point& point, double Point::*x) {
  while (!points.empty() && points.back().*x >= point.*x) points.pop_back();
  points.push_back(point);
}

/// Settings are tried on any checkpoint, in any order; the same one again counts instead.
void insert(std::vector<ScorePoint>& points, const ScorePoint& point) {
  const auto at = std::lower_bound(points.begin(), points.end(), point,
                                   [](const auto& a, const auto& b) { return a.step < b.step; });
  if (at != points.end() && at->step == point.step)
    *at = point;
  else
    points.insert(at, point);
}

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace

void RunData::addEvaluation(std::int64_t step, const std::string& component,
                            const std::string& task, const std::string& metric, double value,
                            double error, std::int64_t n) {
  if (engine::is_what_if(component)) {
    const std::string setting = component.substr(engine::k_what_if.size());
    insert(what_ifs[{setting, task}], {double(step), value, error, n});
    return;
  }
  // The first metric of a task is its own; what else it measures is in the store.
  if (metrics.try_emplace({component, task}, metric).first->second != metric) return;
  auto& into = engine::is_share(metric) ? scores : perplexity;
  put(into[{component, task}], ScorePoint{double(step), value, error, n}, &ScorePoint::step);
}

bool RunData::absorb(const engine::Event& event) {
  if (event.seq != 0) {
    if (event.seq <= last_seq) return false;
    last_seq = event.seq;
  }
  return std::visit(
      overloaded{
          [&](const engine::RunQueued&) {
            info.state = engine::RunState::queued;
            return true;
          },
          [&](const engine::RunStarted& e) {
            info.state = engine::RunState::running;
            info.device = e.device;
            info.dtype = e.dtype;
            info.message.clear();
            return true;
          },
          [&](const engine::StageStarted&) { return true; },
          [&](const engine::Points& e) {
            if (has_series)
              for (const auto& [name, value] : e.values)
                put(series[name], CurvePoint{double(e.step), value, 0}, &CurvePoint::x);
            info.steps = e.step;
            return true;
          },
          [&](const engine::Progress& e) {
            progress = e;
            if (e.total_steps > 0) info.total_steps = e.total_steps;
            return true;
          },
          [&](const engine::Evaluated& e) {
            for (const engine::Score& s : e.scores)
              addEvaluation(e.step, s.component, s.task, s.metric, s.value, s.stderr_, s.n);
            return true;
          },
          [&](const engine::CheckpointSaved&) { return true; },
          [&](const engine::LogLine&) { return false; },
          [&](const engine::RunEnded& e) {
            info.state = e.state;
            info.message = e.message;
            info.seconds += e.seconds;
            progress.reset();
            return true;
          },
      },
      event.body);
}

const std::vector<ScorePoint>* RunData::score(const std::string& component,
                                              const std::string& task) const {
  auto it = scores.find({component, task});
  return it == scores.end() || it->second.empty() ? nullptr : &it->second;
}

std::optional<ScorePoint> RunData::lastScore(const std::string& component,
                                             const std::string& task) const {
  const auto* points = score(component, task);
  return points ? std::optional(points->back()) : std::nullopt;
}

std::vector<std::string> RunData::components() const {
  std::set<std::string> have;
  for (const auto& [key, points] : scores) have.insert(key.component);
  std::vector<std::string> out;
  for (const std::string& name : engine::component_names())
    if (have.contains(name)) out.push_back(name);
  return out;
}

std::vector<std::string> RunData::tasks() const {
  std::set<std::string> single;
  std::vector<std::string> out;
  for (const auto& [key, points] : scores) single.insert(key.task);
  for (const char* group : {"all", "local", "far"})
    if (single.erase(group)) out.emplace_back(group);
  out.insert(out.end(), single.begin(), single.end());
  return out;
}

std::vector<PlanStep> RunData::plan() const {
  std::vector<PlanStep> out;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    const engine::StageSpec& stage = recipe.stages[i];
    const std::int64_t steps = engine::steps_per_epoch(recipe, stage);
    if (stage.kind == "finetune") {
      for (std::int64_t e = 0; e < stage.epochs; ++e, at += steps)
        out.push_back({at, at + steps, i, e});
    } else {
      out.push_back({at, at + steps * stage.epochs, i, 0});
      at += steps * stage.epochs;
    }
  }
  return out;
}

std::int64_t RunData::plannedSteps() const {
  const auto steps = plan();
  return steps.empty() ? info.total_steps : steps.back().last;
}

namespace {

/// "@168 text" or "@168: text".
std::optional<StepNote> stepNote(const std::string& line) {
  const char* end = line.data() + line.size();
  StepNote note;
  if (line.empty() || line[0] != '@') return std::nullopt;
  const auto [after, error] = std::from_chars(line.data() + 1, end, note.step);
  if (error != std::errc() || note.step < 0 || (after != end && *after != ' ' && *after != ':'))
    return std::nullopt;
  note.text.assign(after, end);
  note.text.erase(0, std::min(note.text.find_first_not_of(": "), note.text.size()));
  return note;
}

std::vector<std::string> linesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

std::vector<StepNote> stepNotes(const std::string& notes) {
  std::vector<StepNote> out;
  for (const std::string& line : linesOf(notes))
    if (auto note = stepNote(line)) out.push_back(std::move(*note));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return out;
}

std::string withStepNote(const std::string& notes, std::int64_t step, const std::string& text) {
  std::string out;
  for (const std::string& line : linesOf(notes)) {
    const auto note = stepNote(line);
    if (!note || note->step != step) out += line + '\n';
  }
  if (!text.empty()) out += '@' + std::to_string(step) + ' ' + text + '\n';
  if (!out.empty()) out.pop_back();
  return out;
}

std::vector<CurvePoint> asCurve(const std::vector<ScorePoint>& points, double factor) {
  std::vector<CurvePoint> out;
  out.reserve(points.size());
  for (const ScorePoint& p : points)
    out.push_back({p.step, p.value * factor, half95(p.stderr_) * factor});
  return out;
}

}  // namespace ui
