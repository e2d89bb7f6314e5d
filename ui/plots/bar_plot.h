#pragma once
/// Grouped bars with whiskers: one group a run or task, one bar a series.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ui/plots/still_plot.h"
#include "ui/theme.h"

namespace ui {

struct Bar {
  double value = 0;
  double half = 0;  ///< half width of the 95 % interval, or of another `spread`; 0: none
  double up = half;  ///< its part above the value, where it is not symmetric
  QString spread{};  ///< what the whisker is; empty: the 95 % interval
};

struct BarSeries {
  QString label;
  std::function<SeriesStyle(Scheme)> style;
  std::vector<std::optional<Bar>> bars;  ///< one a group; empty where there is none
  struct Level {
    QString label;                                ///< "Table 12 · Mistral-7B-Instruct"
    std::vector<std::optional<double>> values{};  ///< one a group
  };
  std::vector<Level> levels{};  ///< reference values, drawn as dashes across the bar's place
};

class BarPlot : public StillPlot {
  Q_OBJECT

 public:
  BarPlot(const QString& name, const QString& y_title, QWidget* parent = nullptr);
  ~BarPlot() override;
  void setData(QStringList groups, std::vector<BarSeries> series);
  QString csv() const override;
  int levelCount() const;  ///< dashes drawn; for tests
  QSize sizeHint() const override { return {640, 280}; }
  QSize minimumSizeHint() const override { return {240, 140}; }

 private:
  struct Impl;
  void rebuild() override;
  QString tipAt(QPoint at) const override;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ui
