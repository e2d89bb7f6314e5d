#pragma once
/// Colours, fonts and component marks in one place. Widgets ask for them when they draw, so a theme
/// switch is nothing but a new application palette.

#include <QColor>
#include <QFont>
#include <QIcon>
#include <QPalette>
#include <QString>

class QEvent;
class QPainter;
class QWidget;

namespace ui {

enum class Scheme { light, dark };

struct Colors {
  QColor window, panel, line, text, secondary, accent, on_accent, error, warning, good;
};

const Colors& colorsFor(Scheme scheme);
Scheme schemeOf(const QPalette& palette);
/// The theme is the application's, whatever palette a single widget has.
Scheme schemeOf(const QWidget* widget);
const Colors& colorsOf(const QWidget* widget);
/// WCAG 2 contrast ratio, 1 to 21.
double contrast(const QColor& a, const QColor& b);
QColor withAlpha(QColor color, double alpha);
QColor mix(const QColor& a, const QColor& b, double share_of_b);

enum class Marker { none, disc, square, diamond, triangle, cross };

/// How one series is drawn everywhere: curves, bars, chips, legends.
struct SeriesStyle {
  QColor color;
  Qt::PenStyle dash = Qt::SolidLine;
  double width = 1.5;
  Marker marker = Marker::none;
  bool open = false;  ///< the marker is drawn hollow
};

SeriesStyle componentStyle(const QString& component, Scheme scheme);
/// The n-th run where runs must be told apart: another lightness and marker of one hue.
SeriesStyle runStyle(SeriesStyle base, int run, Scheme scheme);
void drawMarker(QPainter& painter, const SeriesStyle& style, QPointF centre, double radius);
/// A short line with the marker, for legends and chips.
QPixmap legendPixmap(const SeriesStyle& style, QSize size, double device_pixel_ratio);

/// Even-lightness sequential map (cividis) and a diverging one centred at zero; t in 0..1.
QColor sequentialColor(double t);
QColor divergingColor(double t, Scheme scheme);

/// Sizes of text that follow the zoom: a widget is told its role once.
enum class TextRole { secondary = 1, title, figure, monospace };
void useFont(QWidget* widget, TextRole role);

QFont titleFont();      ///< 13 pt semi-bold
QFont secondaryFont();  ///< 9 pt
QFont figureFont();     ///< large read-outs
QFont monospaceFont();

/// Palette, font and the application's style. `zoom` scales text, 1 to 2.
void applyTheme(Scheme scheme, double zoom = 1);

/// A widget's changeEvent: the theme or the size of text is another one.
bool changesLook(const QEvent* event);

/// Makes the style see a changed property ("role", "level", "problem") of a widget.
void repolish(QWidget* widget);

/// A 16-pixel line icon of resources/icons, drawn in the colour of the current palette.
QIcon lineIcon(const QString& name);
/// The same in one colour.
QIcon lineIcon(const QString& name, const QColor& color);

}  // namespace ui
