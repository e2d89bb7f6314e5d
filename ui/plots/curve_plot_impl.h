#pragma once
/// What CurvePlot keeps; only its own .cpp files include this.

#include <qcustomplot.h>

#include <QElapsedTimer>
#include <QLabel>
#include <QPointer>
#include <QTimer>
#include <map>

#include "ui/plots/curve_plot.h"

namespace ui {

struct Curve {
  CurveSpec spec;
  CurveData data;
  MovingAverage average;  ///< follows `data` where the curve is smoothed
  bool shown = true;
  QCPGraph* line = nullptr;
  QCPGraph* raw = nullptr;
  QCPGraph* upper = nullptr;
  QCPGraph* lower = nullptr;
  QCPItemText* label = nullptr;

  const CurvePoints& points() const { return data.points(); }
  void setSpec(const CurveSpec& now);
  void append(const CurvePoint& point);
};

struct CurvePlot::Impl {
  QCustomPlot* plot = nullptr;
  QCPItemStraightLine* zero = nullptr;
  QCPItemLine* cross = nullptr;
  QCPLayer* overlay = nullptr;
  QLabel* corner = nullptr;
  QLabel* placeholder = nullptr;
  std::vector<QString> order;
  std::map<QString, Curve> curves;
  std::optional<double> full_x;
  std::optional<double> cross_x;
  CurveAxis x_axis;
  double factor = 1;
  int decimals = 4;
  std::vector<CurveMark> marks;
  std::vector<std::pair<QCPItemStraightLine*, QCPItemText*>> mark_items;
  bool notes = false;
  bool zero_line = false;
  bool follow = true;
  bool setting_range = false;
  int replots = 0;
  QTimer due;  ///< of the next picture
  QElapsedTimer since_drawn;
  QTimer settled;  ///< after the last of many points that came in a row: a picture in full again
  double feeding_ms = 0, drawing_ms = 0;  ///< of the last picture
  double full_ms = 0;                     ///< of the last one in full

  void makeItems(Curve& curve, const CurvePlot* owner);
  void dropItems(Curve& curve);
  void restyle(const CurvePlot* owner);
  void autoscale();
  void autoscaleY();
  void feed(bool coarse);
  void fillRanges();
  void usePens(bool fast);
  void placeLabels(const CurvePlot* owner);
  void placeMarks(const CurvePlot* owner);
  void placeCorner(const CurvePlot* owner);
  void margins(const CurvePlot* owner);
  QString textOfX(double x) const;  ///< "step 12"
};

/// The point nearest to x, if any.
const CurvePoint* nearest(const CurvePoints& points, double x);
QString exactNumber(double value, int decimals);

}  // namespace ui
