#include "ui/forms/token_view.h"

#include <QApplication>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QScrollBar>
#include <QStringDecoder>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_margin = 8, k_pad = 3, k_gap = 6;
constexpr qsizetype k_longest = 200;  ///< characters of one chip; the rest is told by the tooltip

QString hex(unsigned char byte) { return QString("%1").arg(byte, 2, 16, QChar('0')).toUpper(); }

}  // namespace

QString visibleText(const std::string& bytes) {
  QString out;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 0;
    QStringDecoder one(QStringDecoder::Utf8);
    const QString text = length == 0 || at + length > bytes.size()
                             ? QString()
                             : QString(one(QByteArrayView(bytes.data() + at, qsizetype(length))));
    if (text.isEmpty() || one.hasError() || text.contains(QChar::ReplacementCharacter)) {
      out += "\\x" + hex(byte);
      ++at;
      continue;
    }
    at += length;
    if (text == " ")
      out += QChar(0x00B7);
    else if (text == "\n")
      out += QChar(0x21B5);
    else if (text == "\t")
      out += QChar(0x2192);
    else if (byte < 0x20 || byte == 0x7F)
      out += "\\x" + hex(byte);
    else
      out += text;
  }
  return out;
}

QString tokenFacts(const engine::TokenPiece& token, qsizetype position) {
  QStringList bytes;
  for (std::size_t i = 0; i < token.bytes.size() && i < 16; ++i)
    bytes << hex(static_cast<unsigned char>(token.bytes[i]));
  if (token.bytes.size() > 16) bytes << "…";
  QString text = QString("token %L1: id %L2, “%3”").arg(position).arg(token.id).arg(QString::fromStdString(token.token));
  if (token.special) text += ", special";
  if (!bytes.isEmpty()) text += ", bytes " + bytes.join(' ');
  if (token.end > token.begin) text += QString(", at byte %L1 to %L2").arg(token.begin).arg(token.end);
  return text;
}

TokenView::TokenView(const QString& name, QWidget* parent) : QAbstractScrollArea(parent) {
  setAccessibleName(name);
  setFocusPolicy(Qt::StrongFocus);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setFrameShape(QFrame::NoFrame);
  viewport()->setMouseTracking(true);
  setMinimumHeight(60);
}

void TokenView::setTokens(std::vector<engine::TokenPiece> tokens, std::vector<std::int64_t> starts,
                          std::int64_t scored_from) {
  tokens_ = std::move(tokens);
  starts_ = std::move(starts);
  scored_from_ = scored_from;
  texts_.clear();
  for (const auto& t : tokens_) {
    QString text = visibleText(t.special || t.bytes.empty() ? t.token : t.bytes);
    if (text.size() > k_longest) text = text.left(k_longest) + QChar(0x2026);
    texts_.push_back(text.isEmpty() ? QString("∅") : text);
  }
  selected_ = -1;
  verticalScrollBar()->setValue(0);
  arrange();
}

void TokenView::setPlaceholder(const QString& text) {
  placeholder_ = text;
  viewport()->update();
}

int TokenView::lineHeight() const { return QFontMetrics(monospaceFont()).height() + k_gap; }

QSize TokenView::sizeHint() const { return {320, 4 * lineHeight() + 2 * k_margin}; }

void TokenView::arrange() {
  const QFontMetricsF fm(monospaceFont());
  const int box_height = int(std::ceil(fm.height())) + 2;
  const int right = viewport()->width() - k_margin;
  places_.clear();
  document_.clear();
  int x = k_margin, y = k_margin, document = -1;
  std::size_t next_start = 0;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (next_start < starts_.size() && std::int64_t(i) >= starts_[next_start]) {
      ++next_start;
      ++document;
      if (x > k_margin) y += lineHeight() + k_gap, x = k_margin;
      x += starts_.size() > 1 ? k_gap + 2 : 0;  // room for the document's mark
    }
    const int width = std::min(int(std::ceil(fm.horizontalAdvance(texts_[i]))) + 1 + 2 * k_pad, right - k_margin);
    if (x + width > right && x > k_margin) x = k_margin, y += lineHeight();
    places_.emplace_back(x, y, width, box_height);
    document_.push_back(document);
    x += width + 1;
    // A line end in the text ends the line here, too.
    if (tokens_[i].bytes.ends_with('\n')) x = k_margin, y += lineHeight();
  }
  const int height = places_.empty() ? 0 : places_.back().bottom() + k_margin;
  verticalScrollBar()->setRange(0, std::max(0, height - viewport()->height()));
  verticalScrollBar()->setPageStep(viewport()->height());
  verticalScrollBar()->setSingleStep(lineHeight());
  viewport()->update();
}

QRect TokenView::tokenRect(int token) const {
  if (token < 0 || token >= int(places_.size())) return {};
  return places_[std::size_t(token)].translated(0, -verticalScrollBar()->value());
}

int TokenView::tokenAt(QPoint at) const {
  const QPoint p = at + QPoint(0, verticalScrollBar()->value());
  auto row = std::partition_point(places_.begin(), places_.end(), [&](const QRect& r) { return r.bottom() < p.y(); });
  for (; row != places_.end() && row->top() <= p.y(); ++row)
    if (row->contains(p)) return int(row - places_.begin());
  return -1;
}

void TokenView::drawToken(QPainter& painter, std::size_t i, const QPoint& shift) const {
  const Colors& c = colorsOf(this);
  const QRect box = places_[i].translated(shift);
  const bool chosen = int(i) == selected_;
  const double shade = i % 2 == 0 ? 0.10 : 0.24;
  QColor ground = tokens_[i].special ? mix(c.panel, c.warning, 0.22) : mix(c.panel, c.accent, shade);
  painter.fillRect(box, chosen ? c.accent : ground);
  painter.setPen(chosen ? c.on_accent : c.text);
  painter.drawText(box.adjusted(k_pad, 0, -k_pad, 0), Qt::AlignLeft | Qt::AlignVCenter,
                   painter.fontMetrics().elidedText(texts_[i], Qt::ElideRight, box.width() - 2 * k_pad));
  if (scored_from_ >= 0 && std::int64_t(i) >= scored_from_)
    painter.fillRect(QRect(box.left(), box.bottom() + 1, box.width() + 1, 2), c.accent);
  if (starts_.size() > 1 && std::binary_search(starts_.begin(), starts_.end(), std::int64_t(i)))
    painter.fillRect(QRect(box.left() - k_gap, box.top() - 1, 3, box.height() + 2), c.text);
}

void TokenView::paintEvent(QPaintEvent* event) {
  QPainter painter(viewport());
  const Colors& c = colorsOf(this);
  painter.fillRect(event->rect(), c.panel);
  if (tokens_.empty()) {
    painter.setPen(c.secondary);
    painter.drawText(viewport()->rect().adjusted(k_margin, k_margin, -k_margin, -k_margin),
                     Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, placeholder_);
    return;
  }
  painter.setFont(monospaceFont());
  const int top = verticalScrollBar()->value();
  const QPoint shift(0, -top);
  auto first = std::partition_point(places_.begin(), places_.end(), [&](const QRect& r) { return r.bottom() < top; });
  for (auto i = std::size_t(first - places_.begin()); i < places_.size(); ++i) {
    if (places_[i].top() > top + viewport()->height()) break;
    drawToken(painter, i, shift);
  }
  if (hasFocus() && selected_ < 0) {
    painter.setPen(QPen(c.accent, 1, Qt::DotLine));
    painter.drawRect(viewport()->rect().adjusted(1, 1, -2, -2));
  }
}

void TokenView::resizeEvent(QResizeEvent* event) {
  QAbstractScrollArea::resizeEvent(event);
  arrange();
}

void TokenView::changeEvent(QEvent* event) {
  QAbstractScrollArea::changeEvent(event);
  if (changesLook(event)) arrange();
}

void TokenView::select(int token) {
  token = std::clamp(token, -1, int(tokens_.size()) - 1);
  if (token == selected_) return;
  selected_ = token;
  if (token >= 0) {
    const QRect& place = places_[std::size_t(token)];
    QScrollBar* bar = verticalScrollBar();
    if (place.top() - k_margin < bar->value()) bar->setValue(place.top() - k_margin);
    if (place.bottom() + k_margin > bar->value() + viewport()->height())
      bar->setValue(place.bottom() + k_margin - viewport()->height());
  }
  setAccessibleDescription(selectionText());
  viewport()->update();
  Q_EMIT tokenChosen(token);
}

QString TokenView::selectionText() const {
  if (selected_ < 0) return {};
  QString text = tokenFacts(tokens_[std::size_t(selected_)], selected_);
  if (starts_.size() > 1) text += QString(", document %1 of the row").arg(document_[std::size_t(selected_)] + 1);
  return text;
}

void TokenView::mousePressEvent(QMouseEvent* event) { select(tokenAt(event->pos())); }

void TokenView::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Left:
      return select(std::max(0, selected_ - 1));
    case Qt::Key_Right:
      return select(selected_ + 1);
    case Qt::Key_Home:
      return select(0);
    case Qt::Key_End:
      return select(int(tokens_.size()) - 1);
    case Qt::Key_Escape:
      if (selected_ >= 0) return select(-1);
      break;
    default:
      break;
  }
  QAbstractScrollArea::keyPressEvent(event);
}

bool TokenView::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const int token = tokenAt(help->pos());
    if (token >= 0)
      QToolTip::showText(help->globalPos(), tokenFacts(tokens_[std::size_t(token)], token).toHtmlEscaped(), viewport(), tokenRect(token));
    else
      QToolTip::hideText();
    return true;
  }
  return QAbstractScrollArea::viewportEvent(event);
}

}  // namespace ui
