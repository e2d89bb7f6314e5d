#pragma once
/// One mark a run: accuracy against use of linear attention, with both intervals and the run's name
/// beside the mark.

#include <QWidget>
#include <functional>
#include <memory>
#include <vector>

#include "ui/theme.h"

namespace ui {

struct ScatterPoint {
  QString label;
  std::function<SeriesStyle(Scheme)> style;
  double x = 0, x_half = 0;  ///< half widths of 95 % intervals; 0: none
  double y = 0, y_half = 0;
};

class ScatterPlot : public QWidget {
  Q_OBJECT

 public:
  explicit ScatterPlot(const QString& name, QWidget* parent = nullptr);
  ~ScatterPlot() override;
  void setAxes(const QString& x_title, const QString& y_title);
  void setPoints(std::vector<ScatterPoint> points);
  void setPlaceholder(const QString& text);  ///< shown while there is no point
  /// Where the names stand, in this widget; for tests.
  std::vector<QRectF> labelRects() const;
  bool exportTo(const QString& file) const;  ///< by suffix: png, svg, pdf, csv
  QString csv() const;
  QSize sizeHint() const override { return {640, 280}; }
  QSize minimumSizeHint() const override { return {240, 140}; }

 protected:
  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  struct Impl;
  void rebuild();
  std::unique_ptr<Impl> impl_;
};

}  // namespace ui
