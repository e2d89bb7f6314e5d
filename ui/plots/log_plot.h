#pragma once
/// A few curves over two logarithmic axes, their names at their ends, and one place on the x axis marked by a line.
/// Values that are not above zero have no place there and are left out.

#include <QPointF>
#include <QWidget>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ui/theme.h"

namespace ui {

struct LogCurve {
  QString label;
  std::function<SeriesStyle(Scheme)> style;
  std::vector<QPointF> points;  ///< x rising
};

class LogPlot : public QWidget {
  Q_OBJECT

 public:
  LogPlot(const QString& name, const QString& x_title, QWidget* parent = nullptr);
  ~LogPlot() override;
  void setData(const QString& y_title, std::vector<LogCurve> curves);
  void setMark(std::optional<double> x, const QString& label);
  void setPlaceholder(const QString& text);  ///< shown while there is no point
  bool exportTo(const QString& file) const;  ///< by suffix: png, svg, pdf, csv
  QString csv() const;
  std::vector<QRectF> labelRects() const;  ///< where the names stand, in this widget; for tests
  QSize sizeHint() const override { return {560, 320}; }
  QSize minimumSizeHint() const override { return {280, 180}; }

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
