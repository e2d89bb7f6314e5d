#include "ui/theme.h"

#include <QApplication>
#include <QEvent>
#include <QFontDatabase>
#include <QPainter>
#include <QPainterPath>
#include <QPointer>
#include <QToolTip>
#include <QWidget>
#include <array>
#include <cmath>

#include "ui/style.h"
#include "ui/style_roles.h"

/// A static library's resources are not seen until they are asked for; outside of any namespace by
/// Qt's rule.
static void loadResources() { Q_INIT_RESOURCE(resources); }

namespace ui {

const Colors& colorsFor(Scheme scheme) {
  static const Colors light{"#F6F6F4", "#FFFFFF", "#DDDDD8", "#1C1C1A", "#5E5E59",
                            "#3B6EA8", "#FFFFFF", "#B3261E", "#8A5A00", "#2E7D4F"};
  static const Colors dark{"#1E1F22", "#26282C", "#3A3D42", "#E6E6E3", "#A5A6A1",
                           "#6FA3DC", "#16181B", "#F2776E", "#E0B050", "#6CC08B"};
  return scheme == Scheme::dark ? dark : light;
}

Scheme schemeOf(const QPalette& palette) {
  return palette.color(QPalette::Active, QPalette::Window).lightness() < 128 ? Scheme::dark
                                                                             : Scheme::light;
}

Scheme schemeOf(const QWidget*) { return schemeOf(QApplication::palette()); }

const Colors& colorsOf(const QWidget* widget) { return colorsFor(schemeOf(widget)); }

namespace {

double luminance(const QColor& color) {
  auto linear = [](double c) {
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) +
         0.0722 * linear(color.blueF());
}

template <std::size_t N>
QColor sampled(const std::array<QRgb, N>& stops, double t) {
  if (!std::isfinite(t)) return QColor(0x80, 0x80, 0x80);
  const double at = std::clamp(t, 0.0, 1.0) * static_cast<double>(N - 1);
  const auto low = std::min(static_cast<std::size_t>(at), N - 2);
  return mix(QColor(stops[low]), QColor(stops[low + 1]), at - static_cast<double>(low));
}

}  // namespace

double contrast(const QColor& a, const QColor& b) {
  const double la = luminance(a);
  const double lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

QColor withAlpha(QColor color, double alpha) {
  color.setAlphaF(static_cast<float>(alpha));
  return color;
}

QColor mix(const QColor& a, const QColor& b, double share_of_b) {
  auto part = [share_of_b](int x, int y) {
    return static_cast<int>(std::lround(x + (y - x) * share_of_b));
  };
  return QColor(part(a.red(), b.red()), part(a.green(), b.green()), part(a.blue(), b.blue()));
}

SeriesStyle componentStyle(const QString& component, Scheme scheme) {
  const bool dark = scheme == Scheme::dark;
  auto pick = [dark](const char* light_name, const char* dark_name) {
    return QColor(QLatin1String(dark ? dark_name : light_name));
  };
  if (component == u"teacher")
    return {pick("#404040", "#D0D0D0"), Qt::DashLine, 1.5, Marker::none, false};
  if (component == u"hybrid")
    return {pick("#0072B2", "#4DA3E0"), Qt::SolidLine, 2, Marker::disc, false};
  if (component == u"hybrid-overlap")
    return {pick("#56B4E9", "#8CCBF0"), Qt::DashDotLine, 1.5, Marker::disc, true};
  if (component == u"swa")
    return {pick("#E69F00", "#F2B84B"), Qt::SolidLine, 1.5, Marker::square, false};
  if (component == u"linear")
    return {pick("#009E73", "#3CC79E"), Qt::SolidLine, 1.5, Marker::diamond, false};
  if (component == u"linear-outside")
    return {pick("#009E73", "#3CC79E"), Qt::DotLine, 1.5, Marker::diamond, true};
  if (component == u"swa+sinks")
    return {pick("#D55E00", "#F0834A"), Qt::DashLine, 1.5, Marker::square, true};
  if (component == u"sinks")
    return {pick("#CC79A7", "#E0A3C6"), Qt::DotLine, 1.5, Marker::triangle, false};
  if (component == u"none")
    return {pick("#8C8C8C", "#8C8C8C"), Qt::DotLine, 1.5, Marker::cross, false};
  return {colorsFor(scheme).accent, Qt::SolidLine, 1.5, Marker::none, false};
}

SeriesStyle runStyle(SeriesStyle base, int run, Scheme scheme) {
  static constexpr std::array markers{Marker::disc, Marker::square, Marker::diamond,
                                      Marker::triangle, Marker::cross};
  if (run == 0) return base;
  const QColor towards = scheme == Scheme::dark ? QColor(Qt::white) : QColor(Qt::black);
  const QColor away = scheme == Scheme::dark ? QColor(Qt::black) : QColor(Qt::white);
  base.color = run % 2 == 1 ? mix(base.color, away, 0.38) : mix(base.color, towards, 0.3);
  base.marker = markers[static_cast<std::size_t>(run) % markers.size()];
  base.open = run % 2 == 1;
  return base;
}

void drawMarker(QPainter& painter, const SeriesStyle& style, QPointF c, double r) {
  if (style.marker == Marker::none) return;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(style.color, 1.4));
  painter.setBrush(style.open ? Qt::NoBrush : QBrush(style.color));
  switch (style.marker) {
    case Marker::disc:
      painter.drawEllipse(c, r, r);
      break;
    case Marker::square:
      painter.drawRect(QRectF(c.x() - r * 0.9, c.y() - r * 0.9, 1.8 * r, 1.8 * r));
      break;
    case Marker::diamond:
      painter.drawPolygon(QPolygonF{c + QPointF(0, -1.25 * r), c + QPointF(1.25 * r, 0),
                                    c + QPointF(0, 1.25 * r), c + QPointF(-1.25 * r, 0)});
      break;
    case Marker::triangle:
      painter.drawPolygon(
          QPolygonF{c + QPointF(0, -1.1 * r), c + QPointF(1.1 * r, r), c + QPointF(-1.1 * r, r)});
      break;
    case Marker::cross:
      painter.drawLine(c + QPointF(-r, -r), c + QPointF(r, r));
      painter.drawLine(c + QPointF(-r, r), c + QPointF(r, -r));
      break;
    case Marker::none:
      break;
  }
  painter.restore();
}

QPixmap legendPixmap(const SeriesStyle& style, QSize size, double device_pixel_ratio) {
  QPixmap pixmap(size * device_pixel_ratio);
  pixmap.setDevicePixelRatio(device_pixel_ratio);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(style.color, style.width, style.dash));
  const double middle = size.height() / 2.0;
  painter.drawLine(QPointF(1, middle), QPointF(size.width() - 1, middle));
  drawMarker(painter, style, {size.width() / 2.0, middle}, 3);
  return pixmap;
}

QColor sequentialColor(double t) {
  static constexpr std::array<QRgb, 9> cividis{0xFF00224E, 0xFF123570, 0xFF3B496C,
                                               0xFF575D6D, 0xFF707173, 0xFF8A8678,
                                               0xFFA59C74, 0xFFC3B369, 0xFFFEE838};
  return sampled(cividis, t);
}

QColor divergingColor(double t, Scheme scheme) {
  const QRgb middle = scheme == Scheme::dark ? 0xFF303236 : 0xFFF7F7F5;
  const std::array<QRgb, 5> stops{0xFF0B5C94, 0xFF6FB1DB, middle, 0xFFF0A860, 0xFFB35806};
  return sampled(stops, t);
}

QFont titleFont() {
  QFont font = QApplication::font();
  font.setPointSizeF(font.pointSizeF() * 1.3);
  font.setWeight(QFont::DemiBold);
  return font;
}

QFont secondaryFont() {
  QFont font = QApplication::font();
  font.setPointSizeF(font.pointSizeF() * 0.9);
  return font;
}

QFont figureFont() {
  QFont font = QApplication::font();
  font.setPointSizeF(font.pointSizeF() * 2.0);
  font.setWeight(QFont::DemiBold);
  return font;
}

QFont monospaceFont() {
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setPointSizeF(QApplication::font().pointSizeF());
  return font;
}

namespace {

constexpr char k_text_role[] = "textRole";

QFont fontOf(TextRole role) {
  switch (role) {
    case TextRole::secondary:
      return secondaryFont();
    case TextRole::title:
      return titleFont();
    case TextRole::figure:
      return figureFont();
    case TextRole::monospace:
      return monospaceFont();
  }
  return QApplication::font();
}

}  // namespace

void useFont(QWidget* widget, TextRole role) {
  widget->setProperty(k_text_role, int(role));
  widget->setFont(fontOf(role));
}

bool changesLook(const QEvent* event) {
  return event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange;
}

void repolish(QWidget* widget) {
  dressForRole(widget);
  widget->update();
}

void applyTheme(Scheme scheme, double zoom) {
  loadResources();
  static QPointer<Style> style;
  if (!style || QApplication::style() != style) QApplication::setStyle(style = new Style);
  style->setZoom(zoom);
  const Colors& c = colorsFor(scheme);
  const Shades& shades = shadesFor(scheme);
  QPalette palette;
  palette.setColor(QPalette::Window, c.window);
  palette.setColor(QPalette::WindowText, c.text);
  palette.setColor(QPalette::Base, c.panel);
  palette.setColor(QPalette::AlternateBase, mix(c.panel, c.window, 0.6));
  palette.setColor(QPalette::Text, c.text);
  palette.setColor(QPalette::Button, c.panel);
  palette.setColor(QPalette::ButtonText, c.text);
  palette.setColor(QPalette::BrightText, c.error);
  palette.setColor(QPalette::ToolTipBase, c.panel);
  palette.setColor(QPalette::ToolTipText, c.text);
  palette.setColor(QPalette::PlaceholderText, shades.disabled);
  palette.setColor(QPalette::Highlight, c.accent);
  palette.setColor(QPalette::HighlightedText, c.on_accent);
  palette.setColor(QPalette::Link, c.accent);
  palette.setColor(QPalette::Mid, c.line);
  palette.setColor(QPalette::Midlight, c.line);
  palette.setColor(QPalette::Light, c.panel);
  palette.setColor(QPalette::Dark, c.secondary);
  palette.setColor(QPalette::Shadow, c.line);
  for (auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    palette.setColor(QPalette::Disabled, role, shades.disabled);
  palette.setColor(QPalette::Disabled, QPalette::Highlight, c.line);
  QApplication::setPalette(palette);
  QToolTip::setPalette(palette);
  // A chosen row or menu entry is tinted; chosen text takes the accent itself.
  palette.setColor(QPalette::Highlight, shades.selection);
  palette.setColor(QPalette::HighlightedText, c.text);
  QApplication::setPalette(palette, "QAbstractItemView");
  QApplication::setPalette(palette, "QMenu");
  QFont font = QApplication::font();
  font.setPointSizeF(10 * zoom);
  QApplication::setFont(font);
  for (QWidget* widget : QApplication::allWidgets()) {
    if (const int role = widget->property(k_text_role).toInt())
      widget->setFont(fontOf(TextRole(role)));
    if (widget->testAttribute(Qt::WA_WState_Polished)) dressForRole(widget);
  }
}

}  // namespace ui
