#include "ui/background.h"

#include <QElapsedTimer>
#include <QLocale>

namespace ui {

Background::Background(QObject* parent) : QObject(parent) { pool_.setMaxThreadCount(1); }

Background::~Background() {
  stop_.request_stop();
  pool_.waitForDone();
}

void Background::cancel() {
  if (busy_) stop_.request_stop();
}

/// Only the newest job may answer.
void Background::post(quint64 job, std::function<void()> answer) {
  QMetaObject::invokeMethod(
      this,
      [this, job, answer = std::move(answer)] {
        if (job == job_) answer();
      },
      Qt::QueuedConnection);
}

void Background::launch(const QString& what, Job job) {
  stop_.request_stop();
  stop_ = std::stop_source();
  const quint64 id = ++job_;
  busy_ = true;
  Q_EMIT started(what);
  pool_.start([this, id, job = std::move(job), token = stop_.get_token()] {
    QElapsedTimer last;
    const engine::Watch watch{token, [&](std::int64_t done, const std::string& unit) {
                                if (last.isValid() && last.elapsed() < 100) return;
                                last.start();
                                const QString text =
                                    QLocale(QLocale::English).toString(qint64(done)) + ' ' +
                                    QString::fromStdString(unit);
                                post(id, [this, text] { Q_EMIT progress(text); });
                              }};
    std::function<void()> answer;
    QString problem;
    try {
      answer = job(watch);
    } catch (const engine::Cancelled&) {
    } catch (const std::exception& error) {
      problem = QString::fromUtf8(error.what());
    }
    post(id, [this, answer, problem, token] {
      busy_ = false;
      if (token.stop_requested()) {
        Q_EMIT cancelled();
      } else if (answer) {
        Q_EMIT finished();
        answer();
      } else if (problem.isEmpty()) {
        Q_EMIT cancelled();
      } else {
        Q_EMIT failed(problem);
      }
    });
  });
}

}  // namespace ui
