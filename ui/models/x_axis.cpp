#include "ui/models/x_axis.h"

#include <algorithm>

namespace ui {
namespace {

double tokensPerStep(const engine::Recipe& recipe, const engine::StageSpec& stage) {
  return double(recipe.data.sequence_length) * double(stage.batch_size) * double(stage.accumulation);
}

}  // namespace

const std::vector<XAxisInfo>& xAxes() {
  static const std::vector<XAxisInfo> all{
      {XAxis::step, "by step", "optimizer step", "step", 0},
      {XAxis::epoch, "by epoch", "epochs, transfer included", "epoch", 2},
      {XAxis::tokens, "by tokens", "tokens seen, millions", "million tokens", 3},
      {XAxis::elapsed, "by time", "minutes since the start", "minute", 2},
      {XAxis::clock, "by the clock", "time", "time", 0},
  };
  return all;
}

const XAxisInfo& infoOf(XAxis axis) { return xAxes()[std::size_t(axis)]; }

StepMap::StepMap(XAxis axis, const RunData& run, const std::vector<engine::StepTime>& times) {
  if (axis == XAxis::step) return;
  if (axis == XAxis::elapsed || axis == XAxis::clock) {
    const double start = double(run.info.started_ms);
    auto value = [&](double ms) { return axis == XAxis::clock ? ms / 1000 : (ms - start) / 60000; };
    knots_.emplace_back(0, value(start));
    for (const engine::StepTime& t : times)
      if (double(t.step) > knots_.back().first)
        knots_.emplace_back(double(t.step), std::max(value(double(t.time_ms)), knots_.back().second));
    return;
  }
  double value = 0;
  knots_.emplace_back(0, 0);
  for (const PlanStep& part : run.plan()) {
    if (part.last <= part.first) continue;
    const engine::StageSpec& stage = run.recipe.stages[part.stage];
    value += axis == XAxis::tokens
                 ? double(part.last - part.first) * tokensPerStep(run.recipe, stage) / 1e6
             : stage.kind == "finetune" ? 1
                                        : double(stage.epochs);
    knots_.emplace_back(double(part.last), value);
  }
}

double StepMap::operator()(double step) const {
  if (knots_.empty()) return step;
  if (knots_.size() == 1) return knots_[0].second;
  // Beyond the ends the outer stretch goes on.
  auto after = std::upper_bound(knots_.begin() + 1, knots_.end() - 1, step,
                                [](double s, const auto& knot) { return s < knot.first; });
  const auto before = after - 1;
  const double part = (step - before->first) / (after->first - before->first);
  return before->second + part * (after->second - before->second);
}

std::vector<CurvePoint> StepMap::operator()(std::vector<CurvePoint> points) const {
  if (!knots_.empty())
    for (CurvePoint& p : points) p.x = (*this)(p.x);
  return points;
}

}  // namespace ui
