#pragma once
/// The one place where the window meets the engine: a timer drains the session, events are grouped
/// by run and sent as one signal per run and tick. However many they are, taking them in is shared
/// out over turns of the event loop, so that the window answers in between. Runs of other processes are followed through the
/// store. Without a session (the store is written by another process) everything is read-only.

#include <QElapsedTimer>
#include <QObject>
#include <QString>
#include <QTimer>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "engine/session.h"
#include "ui/models/run_data.h"

namespace ui {

class EngineBridge : public QObject {
  Q_OBJECT

 public:
  /// `session` null: read-only, `why` says it in one sentence.
  EngineBridge(std::unique_ptr<engine::Session> session, std::filesystem::path store,
               QString why = {}, QObject* parent = nullptr);
  ~EngineBridge() override;

  bool readOnly() const { return session_ == nullptr; }  ///< also after closeSession
  QString readOnlyReason() const { return why_; }
  const std::filesystem::path& store() const { return store_; }

  const std::vector<engine::RunInfo>& runs() const { return runs_; }   ///< newest first
  const std::vector<engine::RunInfo>& trash() const { return trash_; }  ///< deleted, but still there
  const engine::RunInfo* run(engine::RunId id) const;  ///< null also for one in the trash
  /// The run's data without its series, which a list or a comparison of hundreds of runs does not
  /// need; read from the store on first use and kept up while the program runs. Null: it cannot be
  /// read.
  const RunData* data(engine::RunId id);
  /// The same with every point of every series.
  const RunData* dataWithSeries(engine::RunId id);
  bool isOurs(engine::RunId id) const { return ours_.contains(id); }
  std::optional<engine::RunId> current() const;
  bool paused(engine::RunId id) const { return session_ && session_->paused(id); }
  std::vector<engine::RunId> queue() const;  ///< runs that wait, the next one first
  bool queueHeld() const { return session_ && session_->queue_held(); }
  /// Example by example, 1 right; read from the store once an evaluation.
  const std::vector<std::uint8_t>& outcomes(engine::RunId id, std::int64_t step,
                                            const std::string& component, const std::string& task);
  std::vector<engine::StoredCheckpoint> checkpoints(engine::RunId id);  ///< oldest first
  /// When each logged step was stored; read again when the run has gone on.
  const std::vector<engine::StepTime>& stepTimes(engine::RunId id);
  bool idle() const;
  int queueLength() const;

  std::vector<engine::Problem> check(const engine::Recipe& recipe) const;
  /// The new run, or nothing: `failed` has been sent.
  std::optional<engine::RunId> submit(const engine::Recipe& recipe);
  void resume(engine::RunId id);
  void stop(engine::RunId id);
  void pause(engine::RunId id);
  void goOn(engine::RunId id);
  void checkpointNow(engine::RunId id);
  void moveInQueue(engine::RunId id, std::size_t place);
  void holdQueue(bool on);
  void holdQueueOnFailure(bool on);
  bool trashRuns(const std::vector<engine::RunId>& ids);    ///< all or none; false: `failed` was sent
  bool restoreRuns(const std::vector<engine::RunId>& ids);  ///< out of the trash again
  /// Deletes rows and checkpoints of runs in the trash for good, one run a tick.
  void purge(const std::vector<engine::RunId>& ids);
  void annotate(engine::RunId id, const QString& name, const QString& tags, const QString& notes);
  void setTags(const std::map<engine::RunId, std::string>& tags);  ///< of several runs at once
  /// Stores an evaluation with a run that is not at work. False: `failed` has been sent.
  bool record(engine::RunId id, const engine::Evaluated& evaluation);
  /// Asks the running one to stop at a checkpoint and ends the session beside the event loop;
  /// `sessionClosed` follows.
  void closeSession();

 Q_SIGNALS:
  void runsChanged();
  void queueChanged();         ///< its order, or whether it is held
  void checkpointKept(qint64 id, qint64 step, const QString& kind);
  void runUpdated(qint64 id);  ///< its data have grown; at most one per run and tick
  void runEnded(qint64 id, const QString& message);
  void logArrived(qint64 run, int level, const QString& text);
  void sessionClosed();
  void failed(const QString& sentence);  ///< something the person asked for did not happen

 private:
  void tick();
  void drain();
  void takeSome();
  void takeAll();
  void take(const engine::Event& event);
  void tell();
  void followOthers();
  void reloadRuns();
  void purgeNext();
  void forgetRead(engine::RunId id);  ///< what was read on demand and may be another now
  template <class Action>
  bool attempt(Action&& action);  ///< false: it failed and was said

  std::unique_ptr<engine::Session> session_;
  std::filesystem::path store_;
  QString why_;
  std::unique_ptr<engine::RunReader> reader_;
  std::vector<engine::RunInfo> runs_, trash_;
  std::vector<engine::RunId> purging_;
  std::map<engine::RunId, RunData> data_;
  std::set<engine::RunId> ours_;
  std::map<std::tuple<engine::RunId, std::int64_t, std::string, std::string>,
           std::vector<std::uint8_t>>
      outcomes_;
  std::deque<engine::Event> arrived_;  ///< drained, not taken in yet
  std::set<engine::RunId> touched_;    ///< taken in, not told yet
  std::vector<std::pair<engine::RunId, QString>> ended_;
  /// With the last step that the run had then.
  std::map<engine::RunId, std::pair<std::int64_t, std::vector<engine::StepTime>>> step_times_;
  QTimer timer_;
  QTimer more_;  ///< the turn after this one
  QElapsedTimer since_reload_;
  bool stale_ = true;
  std::future<void> closing_;
};

}  // namespace ui
