#include "engine/train/trainer.h"

#include <chrono>
#include <cmath>

#include "engine/error.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Speed and remaining time as measured since this process took the stage up.
class Meter {
 public:
  Meter(const StageJob& job, const StageState& state, std::int64_t steps) : job_(job), steps_(steps), first_(state.step) {}

  void step(std::int64_t tokens, double seconds) {
    tokens_ += tokens;
    train_seconds_ += seconds;
  }
  double tokens_per_s() const { return train_seconds_ > 0 ? static_cast<double>(tokens_) / train_seconds_ : 0; }
  Progress progress(const StageState& state) const {
    const std::int64_t done = state.step - first_;
    const double per_step = done > 0 ? seconds_since(start_) / static_cast<double>(done) : 0;
    const double left = static_cast<double>(steps_ - state.step);
    return {"train", state.stage, state.step, steps_, state.global_step(), job_.steps_before + steps_ + job_.steps_after,
            tokens_per_s(), per_step * left, per_step * (left + static_cast<double>(job_.steps_after))};
  }

 private:
  const StageJob& job_;
  std::int64_t steps_, first_;
  Clock::time_point start_ = Clock::now();
  std::int64_t tokens_ = 0;
  double train_seconds_ = 0;
};

struct StepResult {
  double loss = 0, grad_norm = 0, rate = 0;
  std::vector<double> layers;
  std::int64_t tokens = 0;
};

StepResult optimizer_step(const StageJob& job, const StageState& state, std::int64_t steps, std::int64_t per_epoch) {
  const StageSpec& stage = job.stage;
  std::vector<RowBatch> micros;
  double targets = 0;
  for (std::int64_t m = 0; m < stage.accumulation; ++m) {
    const std::uint64_t at = job.first_row + static_cast<std::uint64_t>((state.step * stage.accumulation + m) * stage.batch_size);
    micros.push_back(job.rows.batch(at, stage.batch_size));
    targets += static_cast<double>(micros.back().targets());
  }
  StepResult result;
  job.optimizer.zero_grad();
  Tensor loss, layers;
  for (std::size_t m = 0; m < micros.size(); ++m) {
    MicroBatch batch = to_device(micros[m], job.device);
    batch.index = static_cast<std::int64_t>(m);
    batch.epoch = state.step / per_epoch;
    batch.global_step = state.global_step();
    const MicroLoss part = job.learn(batch, static_cast<double>(micros[m].targets()) / targets);
    loss = loss.defined() ? loss + part.total : part.total;
    if (part.layers.defined()) layers = layers.defined() ? layers + part.layers : part.layers;
    for (auto n : micros[m].lengths) result.tokens += n;
  }
  result.loss = loss.item<double>();
  result.grad_norm = job.optimizer.grad_norm(stage.clip_norm).item<double>();
  if (!std::isfinite(result.loss) || !std::isfinite(result.grad_norm))
    throw InputError("step " + std::to_string(state.global_step() + 1) + ": the " +
                     (std::isfinite(result.loss) ? "gradient" : "loss") +
                     " is not finite; the step was not applied. Try a lower learning rate, or set clip_norm");
  result.rate = learning_rate_at(stage, state, steps);
  job.optimizer.step(result.rate);
  if (layers.defined()) {
    const Tensor host = layers.to(torch::kCPU, torch::kFloat64).contiguous();
    result.layers.assign(host.data_ptr<double>(), host.data_ptr<double>() + host.numel());
  }
  return result;
}

void emit_step(const StageJob& job, const StageState& state, const StepResult& r, std::int64_t epoch, double tokens_per_s) {
  Points points{state.global_step(), {}};
  auto add = [&](const std::string& series, double value) { points.values.emplace_back(series, value); };
  add("train/loss", r.loss);
  add("train/learning_rate", r.rate);
  add("train/grad_norm", r.grad_norm);
  add("train/tokens_per_s", tokens_per_s);
  if (job.stage.kind == "finetune") {
    add("schedule/dropout", dropout_at(job.stage, epoch));
    add("schedule/window", static_cast<double>(window_at(job.stage, job.recipe.attention, epoch)));
  }
  for (std::size_t l = 0; l < r.layers.size(); ++l)
    if (r.layers[l] != 0) add("transfer/layer." + std::to_string(l), r.layers[l]);  // 0: not converted
  job.emit(points);
}

/// False where early stopping ends the stage.
bool note_evaluation(const StageJob& job, StageState& state, const std::map<std::string, double>& metrics) {
  const bool epoch_end = state.step % steps_per_epoch(job.recipe, job.stage) == 0;
  if (metrics.count("validation/loss")) note_validation(job.stage, state, metrics.at("validation/loss"), epoch_end);
  const EarlyStopSpec& early = job.stage.early_stopping;
  if (early.metric.empty()) return true;
  const auto found = sum_of_metrics(early.metric, metrics);
  if (!found) throw InputError("early stopping: this run measures no " + early.metric);
  if (note_metric(job.stage, state, *found)) job.save("best");
  return state.stop_bad < early.patience;
}

}  // namespace

MicroBatch to_device(const RowBatch& rows, const torch::Device& device) {
  MicroBatch b;
  b.ids = torch::tensor(rows.ids, torch::kInt64).view({rows.rows, rows.length}).to(device);
  Tensor valid = torch::zeros({rows.rows, rows.length}, torch::kFloat32);
  for (std::int64_t r = 0; r < rows.rows; ++r) valid[r].narrow(0, 0, rows.lengths[static_cast<std::size_t>(r)]).fill_(1);
  b.valid = valid.to(device);
  return b;
}

void run_stage(const StageJob& job, StageState& state) {
  const std::int64_t per_epoch = steps_per_epoch(job.recipe, job.stage), steps = per_epoch * job.stage.epochs;
  const std::int64_t every = job.recipe.evaluation.every, keep = job.recipe.checkpoint_every;
  Meter meter(job, state, steps);
  const EarlyStopSpec& early = job.stage.early_stopping;
  bool going = early.metric.empty() || state.stop_bad < early.patience;
  auto stopped = [&] {
    job.save("stopped");
    throw Cancelled{};
  };
  while (true) {
    const bool epoch_end = state.step > 0 && state.step % per_epoch == 0;
    const bool due = state.step == steps || (epoch_end && job.stage.lr_schedule.kind == "plateau" && job.stage.lr_schedule.unit == "epochs") || (state.step == 0 && state.stage == 0) ||
                     (every > 0 && state.step > 0 && state.step % every == 0);
    bool evaluated_now = false;
    if (due && going && state.evaluated != state.step) {
      const auto metrics = job.evaluate();
      if (!metrics) stopped();
      state.evaluated = state.step;
      if (state.step > 0) going = note_evaluation(job, state, *metrics);
      evaluated_now = true;
    }
    const bool keep_now = keep == 0 ? evaluated_now : state.step > 0 && state.step % keep == 0;
    if (going && keep_now && state.step < steps) job.save("step");
    if (!going || state.step >= steps) break;
    if (job.stop.stop_requested()) stopped();
    if (job.asked()) job.save("asked");
    const auto start = Clock::now();
    const StepResult r = optimizer_step(job, state, steps, per_epoch);
    const std::int64_t epoch = state.step / per_epoch;
    ++state.step;
    meter.step(r.tokens, seconds_since(start));
    emit_step(job, state, r, epoch, meter.tokens_per_s());
    job.emit(meter.progress(state));
  }
  if (!early.metric.empty() && early.hand_on == "best" && state.best_step >= 0 && state.best_step != state.global_step()) {
    job.restore_best();
    if (!job.evaluate()) stopped();  // what the stage hands on is what is reported last
  }
  state.finished = true;
  job.save("stage-end");
}

}  // namespace engine
