#pragma once
/// A small history of one difference: line with its 95 % band, zero line, last value marked.

#include <QWidget>
#include <vector>

#include "ui/plots/curve_data.h"

namespace ui {

class Sparkline : public QWidget {
  Q_OBJECT

 public:
  explicit Sparkline(const QString& name, QWidget* parent = nullptr);
  void setPoints(std::vector<CurvePoint> points);
  void setColor(const QColor& color);
  QSize sizeHint() const override { return {110, 40}; }
  QSize minimumSizeHint() const override { return {60, 32}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  std::vector<CurvePoint> points_;
  QColor color_;
};

}  // namespace ui
