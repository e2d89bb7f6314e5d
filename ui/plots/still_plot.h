#pragma once
/// What the plots without time in them share: drawn whole at every change of data, size or theme,
/// words where there is nothing to draw, a tooltip that says what stands under the mouse, export.

#include <QPointF>
#include <QString>
#include <QWidget>

class QCustomPlot;
class QLabel;

namespace ui {

class StillPlot : public QWidget {
  Q_OBJECT

 public:
  ~StillPlot() override;
  void setPlaceholder(const QString& text);  ///< shown while there is nothing to draw
  bool exportTo(const QString& file) const;  ///< by suffix: png, svg, pdf, csv
  virtual QString csv() const = 0;

 protected:
  StillPlot(const QString& name, QWidget* parent);
  virtual void rebuild() = 0;
  /// After each layout of the axes: where texts beside marks find their places.
  virtual void placeTexts() {}
  virtual QString tipAt(
      QPoint at) const = 0;  ///< in pixels of the plot; empty: nothing stands there
  void finish(bool empty);   ///< the end of rebuild: the placeholder, and a queued replot
  QCustomPlot* plot() const { return plot_; }

  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QCustomPlot* plot_;
  QLabel* placeholder_;
};

}  // namespace ui
