#include "engine/execute.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/data/rows.h"
#include "engine/error.h"
#include "engine/eval/evaluate.h"
#include "engine/eval/gates.h"
#include "engine/eval/map_health.h"
#include "engine/interop/trained.h"
#include "engine/interop/trained_files.h"
#include "engine/model/load.h"
#include "engine/stage_step.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
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
    for (std::size_t i = 0; i < recipe_.stages.size(); ++i) total_steps_ += planned_steps(i);
    score_teacher();
    start_ = copies(work_.conversion.tensors());
    StageState state = resume_state();
    if (!request_.resume_from) begin_from_another();
    if (state.global_step() == 0) check_gates(0);
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
    plan.window = recipe_.evaluation.window;  // 0: each layer's own
    plan.known = fixed_;
    return evaluate_components(work_.model, &work_.conversion, work_.tokenizer, tasks_, plan,
                               [this] { return stop_.stop_requested(); });
  }

  /// The teacher's weights do not move, so it is scored once, before anything is trained or restored.
  void score_teacher() {
    const auto& components = recipe_.evaluation.components;
    if (std::find(components.begin(), components.end(), "teacher") == components.end()) return;
    emit_(Progress{.phase = "evaluate", .total_steps = total_steps_});
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

  static std::map<std::string, Tensor> copies(const std::map<std::string, Tensor>& tensors) {
    std::map<std::string, Tensor> out;
    for (const auto& [name, t] : tensors) out[name] = t.detach().clone();
    return out;
  }

  void begin_from_another() {
    if (!request_.start_from) return;
    const fs::path& from = *request_.start_from;
    work_.start_from(recipe_, holds_trained_files(from) ? read_trained(from) : load_checkpoint(from).trained, from.string());
    emit_(LogLine{LogLine::Level::info, "begins with the trained tensors of " + (recipe_.start_from.empty() ? from.string() : recipe_.start_from)});
  }

  void check_gates(std::int64_t step) {
    std::vector<std::vector<std::int64_t>> rows;
    const RowBatch batch = rows_.batch(0, 2);
    for (std::int64_t r = 0; r < batch.rows; ++r) {
      const auto first = batch.ids.begin() + r * batch.length;
      rows.emplace_back(first, first + batch.lengths[static_cast<std::size_t>(r)]);
    }
    Points points{step, {}};
    for (const auto& gate : conversion_gates(work_.model, work_.conversion, rows)) {
      const bool alarm = gate.note.empty() && !gate.passed();
      emit_(LogLine{alarm ? LogLine::Level::warning : LogLine::Level::info, "gate " + gate.sentence()});
      if (gate.note.empty()) points.values.emplace_back("gate/" + gate.name, gate.worst);
    }
    emit_(points);
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

  void train_stage(StageState& state) {
    const auto index = static_cast<std::size_t>(state.stage);
    const StageSpec& s = recipe_.stages[index];
    for (auto& [name, t] : work_.trained(recipe_)) t.set_requires_grad(false);
    auto parameters = stage_parameters(work_, s);
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
    total_steps_ = state.first_step + steps + after;
    run_stage({recipe_, s, state.first_step, after, first_row, work_.device, rows_, optimizer,
               [&](const MicroBatch& b, double share) { return learn(work_, recipe_, s, b, share); },
               [&] { return evaluate(&s, state.global_step()); },
               [&] { return request_.checkpoint_asked->exchange(false); },
               [&](const char* kind) { save(kind, state, optimizer); },
               [&] { work_.restore(recipe_, load_checkpoint(best_folder(state.best_step)).trained); }, emit_, stop_},
              state);
    check_gates(state.global_step());
  }

  static std::string title(const StageSpec& s) {
    if (s.kind == "transfer") return "transfer, " + s.objective;
    return "fine-tune " + s.component + ", " + s.trainable + (s.schedule.dropout.empty() ? "" : ", SSD");
  }

  std::optional<std::map<std::string, double>> evaluate(const StageSpec* stage, std::int64_t step) {
    const double start = now_s();
    emit_(Progress{.phase = "evaluate", .total_step = step, .total_steps = total_steps_});
    std::map<std::string, double> metrics;
    Points points{step, {}};
    if (stage && !rows_.held_out().empty()) metrics["validation/loss"] = validation_loss(work_, recipe_, *stage, rows_.held_out(), [this] { return stop_.stop_requested(); });
    const auto run = score_components(recipe_.evaluation.components);
    if (!run || stop_.stop_requested()) return std::nullopt;
    Evaluated event{step, evaluation_window(recipe_), 0, summarise(tasks_, run->results)};
    for (const auto& score : event.scores) {
      if (score.task != "all") continue;
      metrics[score.component.starts_with("delta_") ? score.component : "accuracy/" + score.component] = score.value;
    }
    for (const auto& [name, value] : metrics) points.values.emplace_back(name.starts_with("delta_") ? "delta/" + name.substr(6) : name, value);
    add_shares(points, run->linear_share);
    if (!rows_.held_out().empty())
      for (auto& value : map_health(work_.model, work_.conversion, start_, rows_.held_out())) points.values.push_back(std::move(value));
    for (const auto& [name, value] : points.values) metrics[name] = value;  // early stopping may watch any of them
    for (auto& score : exposure(tasks_, narrowest_window())) event.scores.push_back(std::move(score));
    event.seconds = now_s() - start;
    emit_(points);
    emit_(event);
    last_ = event;
    return metrics;
  }

  static void add_shares(Points& points, const std::vector<std::vector<double>>& shares) {
    for (std::size_t l = 0; l < shares.size(); ++l) {
      if (shares[l].empty()) continue;
      const std::string layer = "share/layer." + std::to_string(l);
      double sum = 0;
      for (std::size_t h = 0; h < shares[l].size(); ++h) {
        sum += shares[l][h];
        points.values.emplace_back(layer + ".head." + std::to_string(h), shares[l][h]);
      }
      points.values.emplace_back(layer, sum / static_cast<double>(shares[l].size()));
    }
  }

  std::int64_t narrowest_window() const {
    std::int64_t window = evaluation_window(recipe_);
    if (recipe_.evaluation.window == 0)
      for (const auto& layer : work_.conversion.layers)
        if (layer.kind == LayerKind::converted) window = std::min(window, layer.window);
    return window + (work_.conversion.window_counts_query ? 0 : 1);
  }

  /// Named by its step: a checkpoint that resume may start from never changes.
  fs::path best_folder(std::int64_t step) const { return request_.folder / ("best-" + std::to_string(step)); }

  void save(const std::string& kind, const StageState& state, const AdamW& optimizer) {
    emit_(Progress{.phase = "checkpoint", .total_step = state.global_step(), .total_steps = total_steps_});
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
  std::int64_t total_steps_ = 0;  ///< of the run, as training counts them: stages that ended early have what they took
  std::map<std::string, Tensor> optimizer_state_;
  std::map<std::string, Tensor> start_;  ///< the conversion's tensors before anything was trained
  std::vector<fs::path> kept_;
  fs::path kept_best_;
  Evaluated last_;
};

}  // namespace

std::string execute(const RunRequest& request, const Emit& emit, std::stop_token stop) {
  return Execution(request, emit, std::move(stop)).run();
}

}  // namespace engine
