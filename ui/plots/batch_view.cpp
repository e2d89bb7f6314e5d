#include "ui/plots/batch_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_axis_gap = 4;

}  // namespace

BatchView::BatchView(QWidget* parent) : QWidget(parent) {
  setAccessibleName("Packed batch");
  setWhatsThis("One bar a row. Shades change and a tick stands where a document begins; hatched is padding.");
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
}

void BatchView::setBatch(engine::PackedBatch batch, std::uint64_t first_position) {
  batch_ = std::move(batch);
  first_ = first_position;
  row_ = token_ = -1;
  updateGeometry();
  update();
  if (!batch_.rows.empty()) select(0, -1);
}

int BatchView::rowHeight() const { return fontMetrics().height() + 8; }

int BatchView::labelWidth() const {
  const qint64 last = qint64(first_ + std::max<std::size_t>(1, batch_.rows.size()) - 1);
  return fontMetrics().horizontalAdvance(grouped(last)) + 12;
}

QSize BatchView::minimumSizeHint() const {
  return {240, int(batch_.rows.size()) * rowHeight() + fontMetrics().height() + 2 * k_axis_gap};
}
QSize BatchView::sizeHint() const { return minimumSizeHint(); }

double BatchView::x(int, double token) const {
  const double room = width() - labelWidth() - 8;
  return labelWidth() + room * token / double(std::max<std::int64_t>(1, batch_.length));
}

QRect BatchView::rowRect(int row) const {
  const double end = x(row, double(batch_.rows[std::size_t(row)].tokens.size()));
  return {int(x(row, 0)), row * rowHeight() + 3, std::max(1, int(end - x(row, 0))), rowHeight() - 6};
}

int BatchView::documents(int row) const {
  return std::max(1, int(batch_.rows[std::size_t(row)].starts.size()));
}

void BatchView::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  const QFontMetrics fm = fontMetrics();
  p.fillRect(rect(), c.panel);
  for (int r = 0; r < int(batch_.rows.size()); ++r) {
    const auto& row = batch_.rows[std::size_t(r)];
    const QRect bar = rowRect(r);
    p.setPen(r == row_ ? c.text : c.secondary);
    p.drawText(QRect(0, bar.top(), labelWidth() - 8, bar.height()), Qt::AlignRight | Qt::AlignVCenter,
               grouped(std::int64_t(first_) + r));
    const QRectF padding(bar.right() + 1, bar.top(), x(r, double(batch_.length)) - bar.right() - 1, bar.height());
    if (padding.width() > 1) p.fillRect(padding, QBrush(c.line, Qt::BDiagPattern));
    for (std::size_t d = 0; d <= row.starts.size(); ++d) {
      const double from = d == 0 ? 0 : double(row.starts[d - 1]);
      const double to = d < row.starts.size() ? double(row.starts[d]) : double(row.tokens.size());
      if (to <= from) continue;
      p.fillRect(QRectF(x(r, from), bar.top(), x(r, to) - x(r, from), bar.height()),
                 mix(c.panel, c.accent, d % 2 == 0 ? 0.45 : 0.22));
      if (d > 0) p.fillRect(QRectF(x(r, from), bar.top() - 1, 2, bar.height() + 2), c.text);
    }
    if (r == row_) {
      p.setPen(QPen(hasFocus() ? c.accent : c.secondary, 1));
      p.setBrush(Qt::NoBrush);
      p.drawRect(QRectF(bar).adjusted(-0.5, -1.5, 0.5, 1.5));
      if (token_ >= 0) p.fillRect(QRectF(x(r, token_), bar.top() - 1, std::max(3.0, x(r, 1) - x(r, 0)), bar.height() + 2), c.warning);
    }
  }
  p.setPen(c.secondary);
  const int y = int(batch_.rows.size()) * rowHeight() + k_axis_gap;
  const QRect axis(labelWidth(), y, width() - labelWidth() - 8, fm.height());
  p.drawText(axis, Qt::AlignLeft, "token 0");
  p.drawText(axis, Qt::AlignRight, grouped(batch_.length));
  p.drawText(axis, Qt::AlignHCenter, "▏ a document begins    ▨ padding");
}

std::pair<int, int> BatchView::at(QPoint point) const {
  const int r = point.y() / rowHeight();
  if (point.y() < 0 || r >= int(batch_.rows.size())) return {-1, -1};
  const double room = width() - labelWidth() - 8;
  const double token = (point.x() - labelWidth()) / std::max(1.0, room) * double(batch_.length);
  if (token < 0 || token >= double(batch_.rows[std::size_t(r)].tokens.size())) return {r, -1};
  return {r, int(token)};
}

QString BatchView::describe(int row, int token) const {
  if (row < 0) return {};
  const auto& r = batch_.rows[std::size_t(row)];
  const int n = documents(row);
  QString text = QString("row %1: %2 tokens, %3 %4")
                     .arg(grouped(std::int64_t(first_) + row), grouped(std::int64_t(r.tokens.size())))
                     .arg(n)
                     .arg(n == 1 ? "document" : "documents");
  if (batch_.held_out) text += ", held out";
  if (token < 0) return text;
  QString around;
  for (int i = std::max(0, token - 6); i < std::min(int(r.tokens.size()), token + 7); ++i) {
    const auto& piece = r.tokens[std::size_t(i)];
    const QString shown = visibleText(piece.special ? piece.token : piece.bytes);
    around += i == token ? "[" + shown + "]" : shown;
  }
  return QString("%1 · token %2: %3").arg(text).arg(token).arg(around);
}

void BatchView::select(int row, int token) {
  if (row < 0 || row >= int(batch_.rows.size())) return;
  row_ = row;
  token_ = token;
  setAccessibleDescription(describe(row, token));
  update();
  Q_EMIT chosen(row, token);
  Q_EMIT hovered(describe(row, token));
}

void BatchView::mouseMoveEvent(QMouseEvent* event) {
  const auto [row, token] = at(event->pos());
  Q_EMIT hovered(row < 0 ? describe(row_, token_) : describe(row, token));
}

void BatchView::leaveEvent(QEvent*) { Q_EMIT hovered(describe(row_, token_)); }

void BatchView::mousePressEvent(QMouseEvent* event) {
  const auto [row, token] = at(event->pos());
  if (row >= 0) select(row, token);
}

void BatchView::keyPressEvent(QKeyEvent* event) {
  if (batch_.rows.empty()) return QWidget::keyPressEvent(event);
  const int last = int(batch_.rows.size()) - 1;
  switch (event->key()) {
    case Qt::Key_Up:
      return select(std::max(0, row_ - 1), -1);
    case Qt::Key_Down:
      return select(std::min(last, row_ + 1), -1);
    case Qt::Key_Right:
    case Qt::Key_Left: {
      const auto& starts = batch_.rows[std::size_t(row_)].starts;
      const bool right = event->key() == Qt::Key_Right;
      auto next = std::upper_bound(starts.begin(), starts.end(), std::int64_t(token_));
      if (right) return select(row_, next == starts.end() ? token_ : int(*next));
      auto before = std::lower_bound(starts.begin(), starts.end(), std::int64_t(token_));
      return select(row_, before == starts.begin() ? 0 : int(*std::prev(before)));
    }
    default:
      QWidget::keyPressEvent(event);
  }
}

}  // namespace ui
