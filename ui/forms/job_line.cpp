#include "ui/forms/job_line.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTimer>

#include "ui/background.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_patience_ms = 150;  ///< what is done sooner is not announced

}  // namespace

JobLine::JobLine(Background* job, QWidget* parent) : QFrame(parent), job_(job) {
  setProperty("role", "banner");
  icon_ = new QLabel;
  words_ = new QLabel;
  words_->setTextFormat(Qt::PlainText);
  words_->setWordWrap(true);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  cancel_ = new QPushButton("Cancel");
  cancel_->setToolTip("Stop reading; what is shown stays");
  again_ = new QPushButton("Try again");
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(12, 4, 8, 4);
  row->setSpacing(8);
  row->addWidget(icon_, 0, Qt::AlignTop);
  row->addWidget(words_, 1);
  row->addWidget(cancel_);
  row->addWidget(again_);
  hide();
  connect(cancel_, &QPushButton::clicked, job_, &Background::cancel);
  connect(again_, &QPushButton::clicked, this, &JobLine::retried);
  connect(job_, &Background::started, this, [this](const QString& what) {
    what_ = what;
    failed_ = false;
    QTimer::singleShot(k_patience_ms, this, [this, what] {
      if (job_->busy() && what_ == what && !isVisible()) say(what + "…", false, true);
    });
  });
  connect(job_, &Background::progress, this, [this](const QString& text) {
    say(QString("%1… %2").arg(what_, text), false, true);
  });
  connect(job_, &Background::finished, this, &JobLine::clear);
  connect(job_, &Background::cancelled, this,
          [this] { say(what_ + ": stopped before the end.", false, false); });
  connect(job_, &Background::failed, this, &JobLine::showProblem);
}

QString JobLine::text() const { return isHidden() ? QString() : words_->text(); }

void JobLine::clear() {
  failed_ = false;
  hide();
}

void JobLine::showProblem(const QString& sentence) { say(sentence, true, false); }

void JobLine::say(const QString& sentence, bool error, bool running) {
  failed_ = error;
  words_->setText(sentence);
  icon_->setVisible(error);
  icon_->setPixmap(lineIcon("warning", colorsOf(this).error).pixmap(QSize(16, 16), devicePixelRatioF()));
  icon_->setFixedHeight(fontMetrics().height() + 8);
  cancel_->setVisible(running);
  again_->setVisible(!running);
  setProperty("level", error ? "error" : "busy");
  repolish(this);
  show();
}

}  // namespace ui
