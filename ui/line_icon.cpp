#include <QApplication>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QSvgRenderer>

#include "ui/theme.h"

namespace ui {
namespace {

/// Draws the SVG in the text colour of the palette at hand, so that one file serves both themes; or
/// in a given colour.
class LineIconEngine : public QIconEngine {
 public:
  explicit LineIconEngine(QString name, QColor color = {})
      : name_(std::move(name)), color_(std::move(color)) {
    QFile file(":/icons/" + name_ + ".svg");
    if (file.open(QIODevice::ReadOnly)) svg_ = file.readAll();
  }
  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
    const QPalette palette = QApplication::palette();
    QColor color = palette.color(mode == QIcon::Disabled ? QPalette::Disabled : QPalette::Active,
                                 QPalette::ButtonText);
    if (color_.isValid()) color = color_;
    if (name_ == "play-primary") color = colorsFor(schemeOf(palette)).on_accent;
    QByteArray text = svg_;
    text.replace("currentColor", color.name().toLatin1());
    QSvgRenderer renderer(text);
    renderer.render(painter, rect);
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    QPixmap pixmap(size);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    paint(&painter, QRect(QPoint(), size), mode, state);
    return pixmap;
  }
  QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state,
                       qreal scale) override {
    QPixmap drawn = pixmap(size, mode, state);
    drawn.setDevicePixelRatio(scale);
    return drawn;
  }
  QIconEngine* clone() const override { return new LineIconEngine(*this); }
  QString iconName() override { return name_; }

 private:
  QString name_;
  QColor color_;
  QByteArray svg_;
};

}  // namespace

QIcon lineIcon(const QString& name) { return QIcon(new LineIconEngine(name)); }
QIcon lineIcon(const QString& name, const QColor& color) {
  return QIcon(new LineIconEngine(name, color));
}

}  // namespace ui
