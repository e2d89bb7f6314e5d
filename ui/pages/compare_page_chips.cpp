/// The chosen runs as chips above the comparison: taken out by a press, ordered by dragging or with the keyboard.

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPushButton>

#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/page_parts.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_run_of_chip[] = "run";
constexpr std::size_t k_most_chips = 16;  ///< more would not fit in a line and cost time

}  // namespace

void ComparePage::refreshChips(const std::vector<const RunData*>& chosen_runs) {
  QStringList names = labels(chosen_runs);
  const auto more = qsizetype(chosen_runs.size() - std::min(chosen_runs.size(), k_most_chips));
  if (more > 0)
    names = names.first(k_most_chips) << QString("and %1 more, ticked in the list").arg(more);
  QStringList shown;
  for (int i = 0; i < chips_->count(); ++i)
    if (QWidget* w = chips_->itemAt(i)->widget()) shown << w->property("name").toString();
  if (shown == names && !names.isEmpty()) return;
  clearLayout(chips_);
  for (std::size_t i = 0; i < std::min(chosen_runs.size(), k_most_chips); ++i) {
    const QString name = names[int(i)];
    auto* chip = new QPushButton(
        lineIcon("close"), QFontMetrics(font()).elidedText(name, Qt::ElideMiddle, 180));
    chip->setLayoutDirection(Qt::RightToLeft);
    chip->setToolTip(QString("%1, %2. Press to take it out of the comparison; drag it, or Alt and "
                             "an arrow key, to order.")
                         .arg(name, stateText(chosen_runs[i]->info.state)));
    chip->setAccessibleName("Remove " + name + " from the comparison");
    chip->setProperty("name", name);
    chip->setProperty(k_run_of_chip, qint64(chosen_runs[i]->info.id));
    chip->installEventFilter(this);
    const engine::RunId id = chosen_runs[i]->info.id;
    connect(chip, &QPushButton::clicked, this, [this, id] { Q_EMIT removed(id); });
    chips_->addWidget(chip);
  }
  if (more > 0) {
    auto* rest = new QLabel(names.last());
    rest->setProperty("role", "secondary");
    rest->setProperty("name", names.last());
    chips_->addWidget(rest);
  }
  chips_->addStretch();
}

/// A chip that is dragged past others, or moved with Alt and an arrow, changes the order.
bool ComparePage::eventFilter(QObject* watched, QEvent* event) {
  auto* chip = qobject_cast<QPushButton*>(watched);
  if (!chip || !chip->property(k_run_of_chip).isValid()) return QWidget::eventFilter(watched, event);
  const engine::RunId run = chip->property(k_run_of_chip).toLongLong();
  if (event->type() == QEvent::KeyPress) {
    auto* key = static_cast<QKeyEvent*>(event);
    const int by = key->key() == Qt::Key_Left ? -1 : key->key() == Qt::Key_Right ? 1 : 0;
    if (by != 0 && key->modifiers() == Qt::AltModifier) {
      moveRun(run, by);
      for (int i = 0; i < chips_->count(); ++i)
        if (QWidget* w = chips_->itemAt(i)->widget(); w && w->property(k_run_of_chip).toLongLong() == run)
          w->setFocus();
      return true;
    }
  }
  if (event->type() == QEvent::MouseButtonRelease) {
    const QPoint at = chip->mapToParent(static_cast<QMouseEvent*>(event)->pos());
    if (chip->geometry().contains(at)) return QWidget::eventFilter(watched, event);
    int from = 0, to = 0, place = 0;
    for (int i = 0; i < chips_->count(); ++i) {
      QWidget* w = chips_->itemAt(i)->widget();
      if (!w) continue;
      if (w == chip) from = place;
      else if (w->geometry().center().x() < at.x()) ++to;
      ++place;
    }
    chip->setDown(false);
    moveRun(run, to - from);
    return true;
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace ui
