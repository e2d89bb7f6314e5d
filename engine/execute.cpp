#include "engine/execute.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/convert/transfer.h"
#include "engine/data/rows.h"
#include "engine/error.h"
#include "engine/eval/evaluate.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
#include "engine/train/language_loss.h"
#include "engine/train/trainer.h"
#include "engine/workspace.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Execution {
 public:
  Execution(const RunRequest& request, const Emit& emit, std::stop_token stop)
      : request_(request), recipe_(request.recipe), emit_(emit), stop_(std::move(stop)), work_(load()),
        rows_(load_rows()), tasks_(load_tasks()) {}

  std::string run() {
    score_teacher();
    StageState state = resume_state();
    if (recipe_.stages.empty() && !evaluate(nullptr, 0)) throw Cancelled{};
    for (; state.stage < static_cast<std::int64_t>(recipe_.stages.size()); next_stage(state)) {
      if (!state.finished) train_stage(state);
    }
    return closing_sentence();
  }

 private:
  Workspace load() {
    emit_(Progress{.phase = "loading model"});
    Workspace w = open_workspace(recipe_);
    emit_(RunStarted{w.device.str(), dtype_name(w.dtype)});
    return w;
  }

  TextRows load_rows() {
    emit_(Progress{.phase = "reading text"});
    if (recipe_.data.sequence_length > work_.model.config.max_positions)
      throw InputError("data.sequence_length: " + std::to_string(recipe_.data.sequence_length) + " is more than the " +
                       std::to_string(work_.model.config.max_positions) + " positions of " + recipe_.model);
    if (recipe_.data.path == "builtin:corpus") return TextRows::builtin(recipe_);
    return TextRows::from_files(recipe_, work_.tokenizer,
                                {request_.cache, static_cast<int>(recipe_.threads), [this] { return stop_.stop_requested(); },
                                 [this](const std::string& line) { emit_(LogLine{LogLine::Level::info, line}); }});
  }

  std::vector<EvalTask> load_tasks() {
    emit_(Progress{.phase = "reading tasks"});
    auto tasks = load_eval_tasks(recipe_.evaluation, work_.tokenizer, work_.model.config.max_positions, rows_.held_out());
    for (const auto& task : tasks)
      for (const auto& note : task.notes) emit_(LogLine{LogLine::Level::warning, note});
    return tasks;
  }

  std::optional<EvaluationRun> score_components(const std::vector<std::string>& components) {
    EvaluationPlan plan;
    plan.components = components;
    plan.window = evaluation_window(recipe_);
    plan.known = fixed_;
    return evaluate_components(work_.model, &work_.conversion, work_.tokenizer, tasks_, plan,
                               [this] { return stop_.stop_requested(); });
  }

  /// The teacher's weights do not move, so it is scored once, before anything is trained or restored.
  void score_teacher() {
    const auto& components = recipe_.evaluation.components;
    if (std::find(components.begin(), components.end(), "teacher") == components.end()) return;
    emit_(Progress{.phase = "evaluate"});
    auto scored = score_components({"teacher"});
    if (!scored) throw Cancelled{};
    fixed_ = std::move(scored->results);
  }

  StageState resume_state() {
    if (!request_.resume_from) return {};
    CheckpointData data = load_checkpoint(*request_.resume_from);
    if (data.recipe_hash != recipe_hash(recipe_))
      throw InputError(request_.resume_from->string() + ": the checkpoint belongs to another recipe");
    if (!data.text_fingerprint.empty() && data.text_fingerprint != rows_.fingerprint())
      throw InputError(recipe_.data.path + ": the text or its tokenizer is another one than when " +
                       request_.resume_from->string() + " was written; put it back, or start a new run");
    work_.restore(recipe_, data.trained);
    optimizer_state_ = std::move(data.optimizer);
    emit_(LogLine{LogLine::Level::info, "resumed at step " + std::to_string(data.state.global_step())});
    return data.state;
  }

  std::int64_t planned_steps(std::size_t stage) const {
    return steps_per_epoch(recipe_, recipe_.stages[stage]) * recipe_.stages[stage].epochs;
  }

  void next_stage(StageState& state) {
    const std::int64_t first = state.global_step();
    const std::int64_t stage = state.stage + 1;
    state = StageState{};
    state.stage = stage;
    state.first_step = first;
    optimizer_state_.clear();
  }

  std::map<std::string, Tensor> stage_parameters(const StageSpec& s) {
    std::map<std::string, Tensor> named;
    const bool uses_mixing = s.kind == "transfer" ? s.objective == "hybrid-outputs" : s.component == "hybrid";
    if (s.kind == "transfer" || s.train_feature_maps)
      for (const auto& [name, t] : work_.conversion.tensors())
        if (uses_mixing || !name.starts_with("mixing.")) named[name] = t;
    if (s.kind == "finetune" && s.trainable == "lora") named.merge(lora_tensors(work_.model));
    if (s.kind == "finetune" && s.trainable == "full")
      for (auto& [name, t] : work_.model.weights()) named[name] = *t;
    if (named.empty()) throw InputError("this stage has nothing to train: feature_map.learned is off and the mixing is fixed");
    return named;
  }

  void train_stage(StageState& state) {
    const auto index = static_cast<std::size_t>(state.stage);
    const StageSpec& s = recipe_.stages[index];
    for (auto& [name, t] : work_.trained(recipe_)) t.set_requires_grad(false);
    auto parameters = stage_parameters(s);
    std::int64_t count = 0;
    for (auto& [name, t] : parameters) {
      t.set_requires_grad(true);
      count += t.numel();
    }
    AdamW optimizer(parameters, s.weight_decay);
    if (!optimizer_state_.empty()) optimizer.load_state(optimizer_state_);
    const std::int64_t steps = planned_steps(index);
    emit_(StageStarted{state.stage, static_cast<std::int64_t>(recipe_.stages.size()), s.kind, title(s), state.first_step,
                       steps, steps_per_epoch(recipe_, s)});
    emit_(LogLine{LogLine::Level::info, title(s) + ": " + std::to_string(count) + " trainable parameters, " +
                                            std::to_string(steps) + " steps"});
    std::int64_t after = 0;
    std::uint64_t first_row = 0;
    for (std::size_t i = 0; i < recipe_.stages.size(); ++i) {
      if (i > index) after += planned_steps(i);
      if (i < index)
        first_row += static_cast<std::uint64_t>(planned_steps(i) * recipe_.stages[i].accumulation * recipe_.stages[i].batch_size);
    }
    run_stage({recipe_, s, state.first_step, after, first_row, work_.device, rows_, optimizer,
               [&](const MicroBatch& b, double share) { return learn(s, b, share); },
               [&] { return evaluate(&s, state.global_step()); },
               [&](const char* kind) { save(kind, state, optimizer); },
               [&] { work_.restore(recipe_, load_checkpoint(best_folder(state.best_step)).trained); }, emit_, stop_},
              state);
  }

  static std::string title(const StageSpec& s) {
    if (s.kind == "transfer") return "transfer, " + s.objective;
    return "fine-tune " + s.component + ", " + s.trainable + (s.schedule.dropout.empty() ? "" : ", SSD");
  }

  MicroLoss learn(const StageSpec& s, const MicroBatch& b, double share) {
    if (s.kind == "transfer") {
      const Tensor layers = transfer_losses(work_.model, work_.conversion, b.ids, b.valid, objective_from(s.objective),
                                            s.output_loss_scale, share);
      return {layers.mean() * share, layers * share};
    }
    const auto& c = work_.model.config;
    DropPlan drop{dropout_mask(s.schedule, dropout_at(s, b.epoch), recipe_.seed, b.global_step, b.index, c.layers,
                               b.ids.size(0), c.heads),
                  s.schedule.linear_when_dropped == "outside"};
    ForwardOptions options;
    options.component = component_from(s.component);
    options.window = window_at(s, recipe_.attention, b.epoch);
    options.drop = &drop;
    const Tensor sum = language_loss_sum(work_.model, &work_.conversion, b.ids, b.valid, options);
    const double targets = (b.valid.sum() - static_cast<double>(b.ids.size(0))).item<double>();
    const Tensor loss = sum * (share / targets);
    loss.backward();
    return {loss.detach(), {}};
  }

  /// The loss that the stage lowers, on held-out rows, without dropout.
  double validation_loss(const StageSpec& s) {
    torch::NoGradGuard off;
    double sum = 0, targets = 0;
    const auto& held = rows_.held_out();
    const auto batch = static_cast<std::size_t>(s.batch_size);
    for (std::size_t at = 0; at < held.size() && !stop_.stop_requested(); at += batch) {
      const RowBatch rows = pack({held.begin() + static_cast<std::ptrdiff_t>(at),
                                  held.begin() + static_cast<std::ptrdiff_t>(std::min(held.size(), at + batch))});
      const MicroBatch b = to_device(rows, work_.device);
      const double n = static_cast<double>(rows.targets());
      if (s.kind == "transfer") {
        sum += n * transfer_losses(work_.model, work_.conversion, b.ids, b.valid, objective_from(s.objective),
                                   s.output_loss_scale, 0).mean().item<double>();
      } else {
        ForwardOptions options;
        options.component = component_from(s.component);
        options.window = evaluation_window(recipe_);
        sum += language_loss_sum(work_.model, &work_.conversion, b.ids, b.valid, options).item<double>();
      }
      targets += n;
    }
    return targets > 0 ? sum / targets : std::nan("");
  }

  std::optional<std::map<std::string, double>> evaluate(const StageSpec* stage, std::int64_t step) {
    const double start = now_s();
    emit_(Progress{.phase = "evaluate", .total_step = step});
    std::map<std::string, double> metrics;
    Points points{step, {}};
    if (stage && !rows_.held_out().empty()) metrics["validation/loss"] = validation_loss(*stage);
    const auto run = score_components(recipe_.evaluation.components);
    if (!run || stop_.stop_requested()) return std::nullopt;
    Evaluated event{step, evaluation_window(recipe_), 0, summarise(tasks_, run->results)};
    for (const auto& score : event.scores) {
      if (score.task != "all") continue;
      metrics[score.component.starts_with("delta_") ? score.component : "accuracy/" + score.component] = score.value;
    }
    for (const auto& [name, value] : metrics) points.values.emplace_back(name.starts_with("delta_") ? "delta/" + name.substr(6) : name, value);
    for (std::size_t l = 0; l < run->linear_share.size(); ++l)
      points.values.emplace_back("share/layer." + std::to_string(l), run->linear_share[l]);
    event.seconds = now_s() - start;
    emit_(points);
    emit_(event);
    last_ = event;
    return metrics;
  }

  /// Named by its step: a checkpoint that resume may start from never changes.
  fs::path best_folder(std::int64_t step) const { return request_.folder / ("best-" + std::to_string(step)); }

  void save(const std::string& kind, const StageState& state, const AdamW& optimizer) {
    emit_(Progress{.phase = "checkpoint", .total_step = state.global_step()});
    const fs::path folder = kind == "best" ? best_folder(state.best_step)
                                           : request_.folder / ("step-" + std::to_string(state.global_step()) +
                                                                (kind == "stage-end" ? "-end" : ""));
    CheckpointData data{state, recipe_hash(recipe_), rows_.fingerprint(), work_.trained(recipe_), {}};
    if (!state.finished) data.optimizer = optimizer.state();
    const std::int64_t bytes = save_checkpoint(folder, data);
    emit_(CheckpointSaved{state.global_step(), state.stage, folder.string(), kind, bytes});
    if (kind == "best") {
      if (!kept_best_.empty() && kept_best_ != folder) {
        std::error_code ignored;
        fs::remove_all(kept_best_, ignored);
      }
      kept_best_ = folder;
    }
    if (kind == "step") {
      // The two newest in-between checkpoints stay; ends of stages and the best one always do.
      kept_.push_back(folder);
      if (kept_.size() > 2) {
        std::error_code ignored;
        fs::remove_all(kept_.front(), ignored);
        kept_.erase(kept_.begin());
      }
    }
  }

  std::string closing_sentence() const {
    std::string text;
    for (const auto& s : last_.scores) {
      if (s.task != "all") continue;
      char part[96];
      if (s.component == "hybrid") std::snprintf(part, sizeof part, "hybrid %.1f %%", 100 * s.value);
      else if (s.component == "delta_h_swa") std::snprintf(part, sizeof part, "Δ_H−SWA %+.1f", 100 * s.value);
      else if (s.component == "delta_la_na") std::snprintf(part, sizeof part, "Δ_LA−NA %+.1f", 100 * s.value);
      else continue;
      text += (text.empty() ? "" : ", ") + std::string(part);
    }
    return text.empty() ? "done" : text;
  }

  const RunRequest& request_;
  const Recipe& recipe_;
  const Emit& emit_;
  std::stop_token stop_;
  Workspace work_;
  TextRows rows_;
  std::vector<EvalTask> tasks_;
  std::vector<ComponentResult> fixed_;
  std::map<std::string, Tensor> optimizer_state_;
  std::vector<fs::path> kept_;
  fs::path kept_best_;
  Evaluated last_;
};

}  // namespace

std::string execute(const RunRequest& request, const Emit& emit, std::stop_token stop) {
  return Execution(request, emit, std::move(stop)).run();
}

}  // namespace engine
