#include "ui/engine_bridge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/log.h"

namespace ui {
namespace {

constexpr int k_tick_ms = 40;
constexpr int k_turn_ms = 2;  ///< for taking in what arrived; pages then take about as long
constexpr int k_events_between_looks = 16;  ///< at the clock
constexpr int k_reload_ms = 1000;  ///< how often runs of other processes are looked for

}  // namespace

EngineBridge::EngineBridge(std::unique_ptr<engine::Session> session, std::filesystem::path store,
                           QString why, QObject* parent)
    : QObject(parent),
      session_(std::move(session)),
      store_(std::move(store)),
      why_(std::move(why)) {
  reloadRuns();
  connect(&timer_, &QTimer::timeout, this, &EngineBridge::tick);
  timer_.start(k_tick_ms);
  more_.setSingleShot(true);
  connect(&more_, &QTimer::timeout, this, &EngineBridge::takeSome);
}

EngineBridge::~EngineBridge() = default;

void EngineBridge::reloadRuns() {
  since_reload_.start();
  stale_ = false;
  try {
    if (!reader_) reader_ = std::make_unique<engine::RunReader>(store_);
    auto runs = reader_->runs();
    // A live run's own events are ahead of its row.
    for (engine::RunInfo& info : runs) {
      auto it = data_.find(info.id);
      if (it == data_.end()) continue;
      RunData& data = it->second;
      data.info.name = info.name;
      data.info.tags = info.tags;
      data.info.notes = info.notes;
      if (!ours_.contains(info.id)) data.info.state = info.state;
    }
    const auto trashed = std::stable_partition(
        runs.begin(), runs.end(), [](const auto& info) { return info.trashed_ms == 0; });
    trash_.assign(std::make_move_iterator(trashed), std::make_move_iterator(runs.end()));
    runs.erase(trashed, runs.end());
    runs_ = std::move(runs);
    Q_EMIT runsChanged();
  } catch (const std::exception& error) {
    reader_.reset();
    const QString text = QString::fromUtf8(error.what());
    if (text != why_) Q_EMIT failed(text);
    why_ = readOnly() ? why_ : text;
  }
}

const engine::RunInfo* EngineBridge::run(engine::RunId id) const {
  auto it = std::find_if(runs_.begin(), runs_.end(), [id](const auto& r) { return r.id == id; });
  return it == runs_.end() ? nullptr : &*it;
}

const RunData* EngineBridge::data(engine::RunId id) {
  if (auto it = data_.find(id); it != data_.end()) return &it->second;
  try {
    if (!reader_) reader_ = std::make_unique<engine::RunReader>(store_);
    // The row first: what comes in between is read twice, and a step read twice counts once.
    const auto info = reader_->run(id);
    if (!info) return nullptr;
    RunData data;
    data.info = *info;
    data.last_seq = info->last_seq;
    data.recipe = engine::parse_recipe(info->recipe).recipe;
    for (const auto& stored : {reader_->evaluations(id), reader_->what_ifs(id)})
      for (const auto& e : stored)
        data.addEvaluation(e.step, e.component, e.task, e.metric, e.value, e.stderr_, e.n);
    return &data_.emplace(id, std::move(data)).first->second;
  } catch (const std::exception& error) {
    Q_EMIT failed(QString::fromUtf8(error.what()));
    return nullptr;
  }
}

const RunData* EngineBridge::dataWithSeries(engine::RunId id) {
  if (!data(id)) return nullptr;
  RunData& shown = data_.at(id);
  if (shown.has_series) return &shown;
  try {
    for (const auto& [name, points] : reader_->series(id)) {
      auto& curve = shown.series[name];
      for (const auto& p : points) curve.push_back({double(p.step), p.value, 0});
    }
    shown.has_series = true;
    return &shown;
  } catch (const std::exception& error) {
    Q_EMIT failed(QString::fromUtf8(error.what()));
    return nullptr;
  }
}

std::optional<engine::RunId> EngineBridge::current() const {
  return session_ ? session_->current() : std::nullopt;
}

bool EngineBridge::idle() const { return !session_ || session_->idle(); }

int EngineBridge::queueLength() const {
  return int(std::count_if(runs_.begin(), runs_.end(),
                           [](const auto& r) { return r.state == engine::RunState::queued; }));
}

std::vector<engine::RunId> EngineBridge::queue() const {
  return session_ ? session_->queue() : std::vector<engine::RunId>{};
}

const std::vector<std::uint8_t>& EngineBridge::outcomes(engine::RunId id, std::int64_t step,
                                                        const std::string& component,
                                                        const std::string& task) {
  auto [at, fresh] = outcomes_.try_emplace({id, step, component, task});
  if (fresh && reader_) {
    try {
      at->second = reader_->outcomes(id, step, component, task);
    } catch (const std::exception& error) {
      Q_EMIT failed(QString::fromUtf8(error.what()));
    }
  }
  return at->second;
}

std::vector<engine::StoredCheckpoint> EngineBridge::checkpoints(engine::RunId id) {
  try {
    if (reader_) return reader_->checkpoints(id);
  } catch (const std::exception& error) {
    Q_EMIT failed(QString::fromUtf8(error.what()));
  }
  return {};
}

const std::vector<engine::StepTime>& EngineBridge::stepTimes(engine::RunId id) {
  auto& [last, times] = step_times_.try_emplace(id, -1, std::vector<engine::StepTime>()).first->second;
  const RunData* shown = data(id);
  if (!shown || !reader_ || shown->info.steps == last) return times;
  try {
    times = reader_->step_times(id);
    last = shown->info.steps;
  } catch (const std::exception& error) {
    Q_EMIT failed(QString::fromUtf8(error.what()));
  }
  return times;
}

void EngineBridge::forgetRead(engine::RunId id) {
  std::erase_if(outcomes_, [id](const auto& one) { return std::get<0>(one.first) == id; });
  step_times_.erase(id);
}

template <class Action>
bool EngineBridge::attempt(Action&& action) {
  if (!session_) {
    Q_EMIT failed(why_);
    return false;
  }
  try {
    action();
    stale_ = true;
    return true;
  } catch (const std::exception& error) {
    Q_EMIT failed(QString::fromUtf8(error.what()));
    return false;
  }
}

std::vector<engine::Problem> EngineBridge::check(const engine::Recipe& recipe) const {
  return session_ ? session_->check(recipe) : engine::check(recipe);
}

std::optional<engine::RunId> EngineBridge::submit(const engine::Recipe& recipe) {
  std::optional<engine::RunId> id;
  attempt([&] {
    id = session_->submit(recipe);
    ours_.insert(*id);
  });
  if (id) reloadRuns();
  return id;
}

void EngineBridge::resume(engine::RunId id) {
  attempt([&] {
    data(id);
    session_->resume(id);
    forgetRead(id);
    ours_.insert(id);
  });
}

void EngineBridge::stop(engine::RunId id) {
  attempt([&] { session_->cancel(id); });
}

void EngineBridge::pause(engine::RunId id) {
  attempt([&] { session_->pause(id); });
  Q_EMIT runUpdated(id);
}

void EngineBridge::goOn(engine::RunId id) {
  attempt([&] { session_->go_on(id); });
  Q_EMIT runUpdated(id);
}

void EngineBridge::checkpointNow(engine::RunId id) {
  attempt([&] { session_->checkpoint_now(id); });
}

void EngineBridge::moveInQueue(engine::RunId id, std::size_t place) {
  attempt([&] { session_->move_in_queue(id, place); });
  Q_EMIT queueChanged();
}

void EngineBridge::holdQueue(bool on) {
  attempt([&] { session_->hold_queue(on); });
  Q_EMIT queueChanged();
}

void EngineBridge::holdQueueOnFailure(bool on) {
  attempt([&] { session_->hold_queue_on_failure(on); });
}

bool EngineBridge::trashRuns(const std::vector<engine::RunId>& ids) {
  const bool done = attempt([&] { session_->trash(ids); });
  reloadRuns();
  return done;
}

bool EngineBridge::restoreRuns(const std::vector<engine::RunId>& ids) {
  const bool done = attempt([&] { session_->restore(ids); });
  reloadRuns();
  return done;
}

void EngineBridge::purge(const std::vector<engine::RunId>& ids) {
  attempt([&] { purging_.insert(purging_.end(), ids.begin(), ids.end()); });
}

/// A long run has millions of rows; the window answers between two of them.
void EngineBridge::purgeNext() {
  const engine::RunId id = purging_.back();
  purging_.pop_back();
  const bool done = attempt([&] {
    session_->remove(id);
    forgetRead(id);
    data_.erase(id);
    ours_.erase(id);
  });
  if (!done) purging_.clear();
}

void EngineBridge::annotate(engine::RunId id, const QString& name, const QString& tags,
                            const QString& notes) {
  attempt(
      [&] { session_->annotate(id, name.toStdString(), tags.toStdString(), notes.toStdString()); });
  reloadRuns();
}

void EngineBridge::setTags(const std::map<engine::RunId, std::string>& tags) {
  attempt([&] {
    for (const auto& [id, text] : tags)
      if (const engine::RunInfo* info = run(id)) session_->annotate(id, info->name, text, info->notes);
  });
  reloadRuns();
}

bool EngineBridge::record(engine::RunId id, const engine::Evaluated& evaluation) {
  return attempt([&] { session_->record(id, evaluation); });
}

void EngineBridge::closeSession() {
  if (!session_) return;
  drain();
  takeAll();
  why_ = "The session has ended.";
  closing_ = std::async(std::launch::async,
                        [ending = std::shared_ptr<engine::Session>(std::move(session_))]() mutable {
                          ending.reset();
                        });
}

void EngineBridge::drain() {
  auto events = session_->drain();
  arrived_.insert(arrived_.end(), std::make_move_iterator(events.begin()),
                  std::make_move_iterator(events.end()));
}

void EngineBridge::tick() {
  if (closing_.valid()) {
    if (closing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    closing_.get();
    timer_.stop();
    Q_EMIT sessionClosed();
    return;
  }
  if (session_) drain();
  takeSome();
  if (session_ && !purging_.empty()) purgeNext();
  for (const engine::LogLine& line : engine::take_log_lines())
    Q_EMIT logArrived(0, int(line.level), QString::fromStdString(line.text));
  if (since_reload_.elapsed() >= k_reload_ms) {
    followOthers();
    reloadRuns();
  } else if (stale_) {
    reloadRuns();
  }
}

/// As many as a turn has time for, and what they bring about; an end is told in its order.
void EngineBridge::takeSome() {
  QElapsedTimer turn;
  turn.start();
  while (!arrived_.empty() && ended_.empty() && turn.elapsed() < k_turn_ms) {
    for (int i = 0; i < k_events_between_looks && !arrived_.empty() && ended_.empty(); ++i) {
      const engine::Event event = std::move(arrived_.front());
      arrived_.pop_front();
      take(event);
    }
  }
  tell();
  if (!arrived_.empty()) more_.start();
}

void EngineBridge::takeAll() {
  for (const engine::Event& event : std::exchange(arrived_, {})) take(event);
  tell();
}

void EngineBridge::take(const engine::Event& event) {
  ours_.insert(event.run);
  if (const auto* line = std::get_if<engine::LogLine>(&event.body))
    Q_EMIT logArrived(event.run, int(line->level), QString::fromStdString(line->text));
  if (const auto* kept = std::get_if<engine::CheckpointSaved>(&event.body))
    Q_EMIT checkpointKept(event.run, kept->step, QString::fromStdString(kept->kind));
  if (const auto* end = std::get_if<engine::RunEnded>(&event.body)) {
    ended_.emplace_back(event.run, QString::fromStdString(end->message));
    stale_ = true;
  }
  if (std::holds_alternative<engine::RunStarted>(event.body) ||
      std::holds_alternative<engine::RunQueued>(event.body))
    stale_ = true;
  if (!data_.contains(event.run)) data(event.run);
  auto it = data_.find(event.run);
  if (it != data_.end() && it->second.absorb(event)) touched_.insert(event.run);
}

void EngineBridge::tell() {
  if (stale_ && !touched_.empty()) reloadRuns();
  for (engine::RunId id : std::exchange(touched_, {})) Q_EMIT runUpdated(id);
  for (const auto& [id, message] : std::exchange(ended_, {})) Q_EMIT runEnded(id, message);
}

void EngineBridge::followOthers() {
  if (!reader_) return;
  for (auto& [id, data] : data_) {
    if (ours_.contains(id)) continue;
    const engine::RunInfo* info = run(id);
    if (!info || (info->state != engine::RunState::running && info->last_seq <= data.last_seq))
      continue;
    try {
      bool grew = false;
      for (const engine::Event& event : reader_->events_after(id, data.last_seq))
        grew = data.absorb(event) || grew;
      if (grew) Q_EMIT runUpdated(id);
    } catch (const std::exception& error) {
      Q_EMIT failed(QString::fromUtf8(error.what()));
      return;
    }
  }
}

}  // namespace ui
