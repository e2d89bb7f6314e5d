#pragma once
/// What a place is for, and the next thing to do there.

#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <QWidget>

#include "ui/theme.h"

namespace ui {

class EmptyState : public QWidget {
  Q_OBJECT

 public:
  EmptyState(const QString& title, const QString& text, const QString& action,
             QWidget* parent = nullptr)
      : QWidget(parent) {
    auto* heading = new QLabel(title);
    useFont(heading, TextRole::title);
    heading->setAlignment(Qt::AlignCenter);
    words_ = new QLabel(text);
    QLabel* words = words_;
    words->setProperty("role", "secondary");
    words->setWordWrap(true);
    words->setAlignment(Qt::AlignCenter);
    words->setFixedWidth(420);
    auto* layout = new QVBoxLayout(this);
    layout->setSpacing(12);
    layout->addStretch(2);
    layout->addWidget(heading);
    layout->addWidget(words, 0, Qt::AlignHCenter);
    if (!action.isEmpty()) {
      auto* button = new QPushButton(action);
      button->setProperty("role", "primary");
      connect(button, &QPushButton::clicked, this, &EmptyState::acted);
      layout->addWidget(button, 0, Qt::AlignHCenter);
    }
    layout->addStretch(3);
  }

 Q_SIGNALS:
  void acted();

 protected:
  /// A centred label does not ask for the height that its wrapped text needs.
  void resizeEvent(QResizeEvent*) override {
    words_->setFixedHeight(words_->heightForWidth(words_->width()));
  }

 private:
  QLabel* words_;
};

}  // namespace ui
