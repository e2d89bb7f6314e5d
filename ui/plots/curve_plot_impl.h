#pragma once
/// What CurvePlot keeps; only its own .cpp files include this.

#include <qcustomplot.h>

#include <QLabel>
#include <QPointer>
#include <map>

#include "ui/plots/curve_plot.h"

namespace ui {

struct Curve {
  CurveSpec spec;
  std::vector<CurvePoint> points;
  bool shown = true;
  QCPGraph* line = nullptr;
  QCPGraph* raw = nullptr;
  QCPGraph* upper = nullptr;
  QCPGraph* lower = nullptr;
  QCPItemText* label = nullptr;
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
  double factor = 1;
  int decimals = 4;
  bool zero_line = false;
  bool follow = true;
  bool queued = false;
  bool setting_range = false;
  int replots = 0;

  void makeItems(Curve& curve, const CurvePlot* owner);
  void dropItems(Curve& curve);
  void restyle(const CurvePlot* owner);
  void autoscale();
  void autoscaleY();
  void feed();
  void placeLabels(const CurvePlot* owner);
  void placeCorner(const CurvePlot* owner);
  void margins(const CurvePlot* owner);
};

/// The point nearest to x, if any.
const CurvePoint* nearest(const std::vector<CurvePoint>& points, double x);
QString exactNumber(double value, int decimals);

}  // namespace ui
