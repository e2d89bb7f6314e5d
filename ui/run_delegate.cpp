#include "ui/run_delegate.h"

#include <QAbstractItemView>
#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>

#include "ui/models/run_list_model.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_star = 13;  ///< its width, in pixels

/// Room for the name of the group above its first run; 0 for the others.
int headHeight(const QModelIndex& index) {
  const QString group = index.data(RunListModel::GroupRole).toString();
  if (group.isEmpty()) return 0;
  const QModelIndex before = index.siblingAtRow(index.row() - 1);
  if (before.isValid() && before.data(RunListModel::GroupRole).toString() == group) return 0;
  return QFontMetrics(secondaryFont()).height() + 12;
}

/// The group's name, and how many of its runs are shown.
void paintHead(QPainter* p, const QRect& head, const QModelIndex& index, const Colors& c) {
  const QString group = index.data(RunListModel::GroupRole).toString();
  int count = 1;
  for (QModelIndex at = index.siblingAtRow(index.row() + 1);
       at.isValid() && at.data(RunListModel::GroupRole).toString() == group;
       at = at.siblingAtRow(at.row() + 1))
    ++count;
  const QFontMetrics small(secondaryFont());
  const QString number = QString::number(count);
  const QRect line = head.adjusted(12, 6, -9, 0);
  p->setFont(secondaryFont());
  p->setPen(c.secondary);
  p->drawText(line, Qt::AlignRight | Qt::AlignVCenter, number);
  p->drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
              small.elidedText(groupTitle(group), Qt::ElideMiddle,
                               line.width() - small.horizontalAdvance(number) - 12));
  p->fillRect(QRect(head.left() + 12, head.bottom(), head.width() - 21, 1), c.line);
}

void paintTick(QPainter* p, const QRect& box, bool on, const Colors& c) {
  p->setPen(QPen(on ? c.accent : c.secondary, 1));
  p->setBrush(on ? c.accent : c.panel);
  p->drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3);
  if (!on) return;
  p->setPen(QPen(c.on_accent, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  p->setBrush(Qt::NoBrush);
  p->drawPolyline(QPolygonF{box.topLeft() + QPointF(3.5, 7.5), box.topLeft() + QPointF(6, 10),
                            box.topLeft() + QPointF(10.5, 4.5)});
}

void paintStar(QPainter* p, const QRectF& box, bool on, const Colors& c) {
  const double outer = box.width() / 2, inner = outer * 0.42;
  const QPointF centre = box.center() + QPointF(0, outer * 0.05);
  QPolygonF points;
  for (int i = 0; i < 10; ++i) {
    const double angle = i * M_PI / 5 - M_PI / 2, radius = i % 2 == 0 ? outer : inner;
    points << centre + QPointF(std::cos(angle), std::sin(angle)) * radius;
  }
  p->setPen(QPen(on ? c.accent : c.secondary, 1, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  p->setBrush(on ? QBrush(c.accent) : QBrush(Qt::NoBrush));
  p->drawPolygon(points);
}

/// A little more than what is drawn.
bool hits(const QRect& place, QPoint at) { return place.adjusted(-7, -7, 7, 7).contains(at); }

}  // namespace

QRect RunDelegate::tick(const QRect& row) { return {row.left() + 10, row.top() + 9, 14, 14}; }

QRect RunDelegate::star(const QRect& row) {
  const int line = QFontMetrics(secondaryFont()).height();
  return {row.right() - 7 - k_star, row.bottom() - 7 - (line + k_star) / 2, k_star, k_star};
}

QSize RunDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const int two_lines = option.fontMetrics.height() + QFontMetrics(secondaryFont()).height() + 14;
  return {160, two_lines + headHeight(index)};
}

void RunDelegate::paint(QPainter* p, const QStyleOptionViewItem& whole,
                        const QModelIndex& index) const {
  const Colors& c = colorsOf(whole.widget);
  QStyleOptionViewItem option = whole;
  if (const int head = headHeight(index)) {
    paintHead(p, QRect(whole.rect.topLeft(), QSize(whole.rect.width(), head)), index, c);
    option.rect.setTop(whole.rect.top() + head);
  }
  const auto state = engine::RunState(index.data(RunListModel::StateRole).toInt());
  const bool over = option.state & QStyle::State_MouseOver;
  p->save();
  if (option.state & QStyle::State_Selected)
    p->fillRect(option.rect, mix(c.window, c.accent, 0.16));
  else if (over)
    p->fillRect(option.rect, mix(c.window, c.line, 0.5));
  const QRect box = tick(option.rect);
  p->setRenderHint(QPainter::Antialiasing);
  const QVariant ticked = index.data(RunListModel::ChosenRole);
  if (ticked.isValid()) paintTick(p, box, ticked.toBool(), c);
  const bool starred = index.data(RunListModel::StarRole).toBool();
  // An empty star is an offer; it stands where the mouse or the keyboard is.
  const bool offered = index.data(RunListModel::StarRole).isValid() &&
                       (over || (option.state & QStyle::State_Selected));
  if (starred || offered) paintStar(p, star(option.rect), starred, c);
  const int left = ticked.isValid() ? box.right() + 9 : box.left();
  const QFontMetrics fm(option.font);
  const QFontMetrics small(secondaryFont());
  const QString result = index.data(RunListModel::ResultRole).toString();
  const QRect line(left, option.rect.top() + 5, option.rect.right() - left - 8, fm.height() + 2);
  p->setPen(index.data(RunListModel::ArchivedRole).toBool() ? c.secondary : c.text);
  p->setFont(option.font);
  p->drawText(line, Qt::AlignRight | Qt::AlignVCenter, result);
  const int room = line.width() - (result.isEmpty() ? 0 : fm.horizontalAdvance(result) + 8);
  p->drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
              fm.elidedText(index.data().toString(), Qt::ElideMiddle, room));
  const int kept = starred || offered ? k_star + 6 : 0;
  const QRect below(left, line.bottom(), line.width() - kept, small.height() + 2);
  p->setFont(secondaryFont());
  p->setPen(state == engine::RunState::failed ? c.error : c.secondary);
  p->drawText(below, Qt::AlignLeft | Qt::AlignVCenter,
              small.elidedText(index.data(RunListModel::DetailRole).toString(), Qt::ElideRight,
                               below.width()));
  if (state == engine::RunState::running) {
    const QRect track(left, option.rect.bottom() - 2, line.width(), 2);
    p->fillRect(track, c.line);
    p->fillRect(QRect(track.left(), track.top(),
                      int(track.width() * index.data(RunListModel::ProgressRole).toDouble()), 2),
                c.accent);
  }
  if ((option.state & QStyle::State_HasFocus) && (option.state & QStyle::State_Selected))
    p->fillRect(QRect(option.rect.left(), option.rect.top(), 2, option.rect.height()), c.accent);
  p->restore();
}

bool RunDelegate::editorEvent(QEvent* event, QAbstractItemModel* model,
                              const QStyleOptionViewItem& option, const QModelIndex& index) {
  const QRect row = option.rect.adjusted(0, headHeight(index), 0, 0);
  const bool released = event->type() == QEvent::MouseButtonRelease;
  const QPoint at = released ? static_cast<QMouseEvent*>(event)->pos() : QPoint();
  if (released && index.data(RunListModel::StarRole).isValid() && hits(star(row), at))
    return model->setData(index, !index.data(RunListModel::StarRole).toBool(), RunListModel::StarRole);
  const bool key =
      event->type() == QEvent::KeyPress && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Space;
  if (!key && !(released && hits(tick(row), at))) return false;
  const bool on = index.data(RunListModel::ChosenRole).toBool();
  return model->setData(index, on ? Qt::Unchecked : Qt::Checked, Qt::CheckStateRole);
}

bool RunDelegate::helpEvent(QHelpEvent* event, QAbstractItemView* view,
                            const QStyleOptionViewItem& option, const QModelIndex& index) {
  const QRect row = option.rect.adjusted(0, headHeight(index), 0, 0);
  const bool on_star = event->type() == QEvent::ToolTip && hits(star(row), event->pos()) &&
                       index.data(RunListModel::StarRole).isValid();
  if (!on_star) return QStyledItemDelegate::helpEvent(event, view, option, index);
  QToolTip::showText(event->globalPos(),
                     "Star, or not (Ctrl+B): kept as the run's tag “star”, which `equipoise runs` and exports have too",
                     view);
  return true;
}

}  // namespace ui
