#pragma once
/// One mark a run: accuracy against use of linear attention, with both intervals and the run's name
/// beside the mark.

#include <functional>
#include <memory>
#include <vector>

#include "ui/plots/still_plot.h"
#include "ui/theme.h"

namespace ui {

struct ScatterPoint {
  QString label;
  std::function<SeriesStyle(Scheme)> style;
  double x = 0, x_half = 0;  ///< half widths of 95 % intervals, or of another `spread`; 0: none
  double y = 0, y_half = 0;
  double x_up = x_half, y_up = y_half;  ///< their parts above, where they are not symmetric
  QString spread{};                     ///< what the whiskers are; empty: 95 % intervals
};

class ScatterPlot : public StillPlot {
  Q_OBJECT

 public:
  explicit ScatterPlot(const QString& name, QWidget* parent = nullptr);
  ~ScatterPlot() override;
  void setAxes(const QString& x_title, const QString& y_title);
  void setPoints(std::vector<ScatterPoint> points);
  /// Where the names stand, in this widget; for tests.
  std::vector<QRectF> labelRects() const;
  QString csv() const override;
  QSize sizeHint() const override { return {640, 280}; }
  QSize minimumSizeHint() const override { return {240, 140}; }

 private:
  struct Impl;
  void rebuild() override;
  void placeTexts() override;
  QString tipAt(QPoint at) const override;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ui
