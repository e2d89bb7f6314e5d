#pragma once
/// A few curves over two logarithmic axes, their names at their ends, and one place on the x axis marked by a line.
/// Values that are not above zero have no place there and are left out.

#include <QPointF>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ui/plots/still_plot.h"
#include "ui/theme.h"

namespace ui {

struct LogCurve {
  QString label;
  std::function<SeriesStyle(Scheme)> style;
  std::vector<QPointF> points;  ///< x rising
};

class LogPlot : public StillPlot {
  Q_OBJECT

 public:
  LogPlot(const QString& name, const QString& x_title, QWidget* parent = nullptr);
  ~LogPlot() override;
  void setData(const QString& y_title, std::vector<LogCurve> curves);
  void setMark(std::optional<double> x, const QString& label);
  QString csv() const override;
  std::vector<QRectF> labelRects() const;  ///< where the names stand, in this widget; for tests
  QSize sizeHint() const override { return {560, 320}; }
  QSize minimumSizeHint() const override { return {280, 180}; }

 private:
  struct Impl;
  void rebuild() override;
  void placeTexts() override;
  QString tipAt(QPoint at) const override;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ui
