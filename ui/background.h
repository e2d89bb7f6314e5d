#pragma once
/// Work beside the event loop, one job at a time: the newest one counts, an older one is asked to
/// stop and its answer is dropped. Answers come back on the thread of this object.

#include <QObject>
#include <QString>
#include <QThreadPool>
#include <functional>
#include <memory>
#include <stop_token>

#include "engine/inspect.h"

namespace ui {

class Background : public QObject {
  Q_OBJECT

 public:
  explicit Background(QObject* parent = nullptr);
  ~Background() override;  ///< asks the job to stop and waits for it

  /// `work` runs on another thread and must not touch widgets; `done` gets its value here. What it
  /// throws is sent as `failed`, a stop as `cancelled`.
  template <class Work, class Done>
  void start(const QString& what, Work work, Done done) {
    launch(what, [this, work = std::move(work),
                  done = std::move(done)](const engine::Watch& watch) -> std::function<void()> {
      auto value = std::make_shared<decltype(work(watch))>(work(watch));
      return [done, value] { done(std::move(*value)); };
    });
  }
  void cancel();
  bool busy() const { return busy_; }

 Q_SIGNALS:
  void started(const QString& what);
  void progress(const QString& text);
  void finished();
  void cancelled();
  void failed(const QString& sentence);

 private:
  using Job = std::function<std::function<void()>(const engine::Watch&)>;
  void launch(const QString& what, Job job);
  void post(quint64 job, std::function<void()> answer);

  QThreadPool pool_;
  std::stop_source stop_;
  quint64 job_ = 0;
  bool busy_ = false;
};

}  // namespace ui
