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

/// What a step leaves behind. Tensors stay on their device until they are read.
struct StepResult {
  Tensor loss, grad_norm;  ///< scalars
  Tensor layers;           ///< [L], or undefined
  double rate = 0;
  std::int64_t step = 0;   ///< global, this one included
  std::int64_t epoch = 0, tokens = 0;
};

/// Steps whose values were not read yet. One transfer reads them all.
class Unread {
 public:
  /// Scalar for AdamW::step: 1 from the first step on whose loss or gradient is not finite, so that none is applied
  /// before its values are looked at.
  Tensor skip(const Tensor& loss, const Tensor& norm) {
    const Tensor finite = loss.isfinite().logical_and(norm.isfinite());
    const Tensor bad = finite.logical_not().to(torch::kFloat32);
    skip_ = skip_.defined() ? at::maximum(skip_, bad) : bad;
    return skip_;
  }
  void add(StepResult r) { steps_.push_back(std::move(r)); }
  const std::vector<StepResult>& steps() const { return steps_; }

  /// Loss, gradient norm and (where there are any) layers of each step, [steps, 2 + L] float64 on the processor. Throws
  /// InputError where a loss or norm is not finite.
  Tensor read() {
    std::vector<Tensor> rows;
    for (const StepResult& r : steps_) {
      const Tensor both = at::stack({r.loss.to(torch::kFloat64), r.grad_norm.to(torch::kFloat64)});
      rows.push_back(r.layers.defined() ? at::cat({both, r.layers.to(torch::kFloat64)}) : both);
    }
    const Tensor host = at::stack(rows).to(torch::kCPU).contiguous();
    const auto values = host.accessor<double, 2>();
    for (std::int64_t i = 0; i < host.size(0); ++i)
      for (int which : {0, 1})
        if (!std::isfinite(values[i][which]))
          throw InputError("step " + std::to_string(steps_[static_cast<std::size_t>(i)].step) + ": the " + (which ? "gradient" : "loss") +
                           " is not finite; the step was not applied. Try a lower learning rate, or set clip_norm");
    return host;
  }
  void clear() { steps_.clear(); }

 private:
  std::vector<StepResult> steps_;
  Tensor skip_;
};

StepResult optimizer_step(const StageJob& job, const StageState& state, std::int64_t steps, std::int64_t per_epoch, Unread& unread) {
  const StageSpec& stage = job.stage;
  std::vector<RowBatch> micros;
  double targets = 0;
  for (std::int64_t m = 0; m < stage.accumulation; ++m) {
    const std::uint64_t at = job.first_row + static_cast<std::uint64_t>((state.step * stage.accumulation + m) * stage.batch_size);
    micros.push_back(job.rows.batch(at, stage.batch_size));
    targets += static_cast<double>(micros.back().targets());
  }
  StepResult result;
  result.step = state.global_step() + 1;
  result.epoch = state.step / per_epoch;
  job.optimizer.zero_grad();
  for (std::size_t m = 0; m < micros.size(); ++m) {
    MicroBatch batch = to_device(micros[m], job.device);
    batch.index = static_cast<std::int64_t>(m);
    batch.epoch = result.epoch;
    batch.global_step = state.global_step();
    const MicroLoss part = job.learn(batch, static_cast<double>(micros[m].targets()) / targets);
    result.loss = result.loss.defined() ? result.loss + part.total : part.total;
    if (part.layers.defined()) result.layers = result.layers.defined() ? result.layers + part.layers : part.layers;
    for (auto n : micros[m].lengths) result.tokens += n;
  }
  result.grad_norm = job.optimizer.grad_norm(stage.clip_norm);
  result.rate = learning_rate_at(stage, state, steps);
  job.optimizer.step(result.rate, unread.skip(result.loss, result.grad_norm));
  return result;
}

/// Reads what steps left, and emits it. `meter` knows their time but for the wait here.
void emit_steps(const StageJob& job, Unread& unread, Meter& meter) {
  if (unread.steps().empty()) return;
  const auto start = Clock::now();
  const Tensor host = unread.read();
  std::int64_t tokens = 0;
  for (const StepResult& r : unread.steps()) tokens += r.tokens;
  meter.step(tokens, seconds_since(start));
  const auto values = host.accessor<double, 2>();
  for (std::size_t i = 0; i < unread.steps().size(); ++i) {
    const StepResult& r = unread.steps()[i];
    const auto row = values[static_cast<std::int64_t>(i)];
    Points points{r.step, {}};
    auto add = [&](const std::string& series, double value) { points.values.emplace_back(series, value); };
    add("train/loss", row[0]);
    add("train/learning_rate", r.rate);
    add("train/grad_norm", row[1]);
    add("train/tokens_per_s", meter.tokens_per_s());
    if (job.stage.kind == "finetune") {
      add("schedule/dropout", dropout_at(job.stage, r.epoch));
      add("schedule/window", static_cast<double>(window_at(job.stage, job.recipe.attention, r.epoch)));
    }
    for (std::int64_t l = 2; l < row.size(0); ++l)
      if (row[l] != 0) add("transfer/layer." + std::to_string(l - 2), row[l]);  // 0: not converted
    job.emit(points);
  }
  unread.clear();
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
  std::vector<float> valid(rows.ids.size(), 0);
  std::vector<std::int64_t> predicting;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::int64_t first = r * rows.length, length = rows.lengths[static_cast<std::size_t>(r)];
    std::fill_n(valid.begin() + first, length, 1.0F);
    for (std::int64_t t = 0; t + 1 < length; ++t) predicting.push_back(first + t);
  }
  b.ids = torch::tensor(rows.ids, torch::kInt64).view({rows.rows, rows.length}).to(device);
  b.valid = torch::tensor(valid).view({rows.rows, rows.length}).to(device);
  b.predicting = torch::tensor(predicting, torch::kInt64).to(device);
  return b;
}

void run_stage(const StageJob& job, StageState& state) {
  const std::int64_t per_epoch = steps_per_epoch(job.recipe, job.stage), steps = per_epoch * job.stage.epochs;
  const std::int64_t every = job.recipe.evaluation.every, keep = job.recipe.checkpoint_every;
  Meter meter(job, state, steps);
  const EarlyStopSpec& early = job.stage.early_stopping;
  bool going = early.metric.empty() || state.stop_bad < early.patience;
  Unread unread;
  auto save = [&](const char* kind) {
    emit_steps(job, unread, meter);  // a checkpoint holds applied steps alone
    job.save(kind);
  };
  auto stopped = [&] {
    save("stopped");
    throw Cancelled{};
  };
  while (true) {
    const bool epoch_end = state.step > 0 && state.step % per_epoch == 0;
    const bool due = state.step == steps || (epoch_end && job.stage.lr_schedule.kind == "plateau" && job.stage.lr_schedule.unit == "epochs") || (state.step == 0 && state.stage == 0) ||
                     (every > 0 && state.step > 0 && state.step % every == 0);
    bool evaluated_now = false;
    if (due && going && state.evaluated != state.step) {
      emit_steps(job, unread, meter);
      const auto metrics = job.evaluate();
      if (!metrics) stopped();
      state.evaluated = state.step;
      if (state.step > 0) going = note_evaluation(job, state, *metrics);
      evaluated_now = true;
    }
    const bool keep_now = keep == 0 ? evaluated_now : state.step > 0 && state.step % keep == 0;
    if (going && keep_now && state.step < steps) save("step");
    if (!going || state.step >= steps) break;
    if (job.stop.stop_requested()) stopped();
    if (job.asked()) save("asked");
    const auto start = Clock::now();
    unread.add(optimizer_step(job, state, steps, per_epoch, unread));
    ++state.step;
    meter.step(0, seconds_since(start));
    if (state.step % job.recipe.log_every == 0) emit_steps(job, unread, meter);
    job.emit(meter.progress(state));
  }
  if (!early.metric.empty() && early.hand_on == "best" && state.best_step >= 0 && state.best_step != state.global_step()) {
    job.restore_best();
    if (!job.evaluate()) stopped();  // what the stage hands on is what is reported last
  }
  state.finished = true;
  save("stage-end");
}

}  // namespace engine
