#pragma once
/// One value per epoch as steps that are dragged with the mouse or moved with the arrow keys.
/// Values beyond the list are the last one, held (dashed); dragging one of those writes the list up
/// to it.

#include <QStringList>
#include <QWidget>
#include <vector>

namespace ui {

class StepLane : public QWidget {
  Q_OBJECT

 public:
  enum class Kind { dropout, window };

  StepLane(Kind kind, QWidget* parent = nullptr);

  /// `fallback`: what holds where the list is empty.
  void setValues(const std::vector<double>& values, double fallback, int epochs);
  const std::vector<double>& values() const { return values_; }
  void setEpoch(int epoch);
  int epoch() const { return epoch_; }
  void setTop(double top);  ///< windows: the largest value drawn
  void setShowEpochs(bool on);
  void setEpochEnds(const QStringList& ends);  ///< written where each epoch ends, as far as there is room

  double valueAt(int epoch) const;
  double snapped(double value) const;
  QPointF handleAt(int epoch) const;  ///< middle of the step, in this widget
  QPointF pixelFor(int epoch, double value) const;

  QSize sizeHint() const override { return {420, 110}; }
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void previewed(const std::vector<double>& values);  ///< while dragging
  void edited(const std::vector<double>& values);     ///< once, when it is let go or by a key
  void epochChosen(int epoch);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  QRect area() const;
  double yFor(double value) const;
  double valueFor(double y) const;
  int epochFor(double x) const;
  int shownEpochs() const;
  std::vector<double> with(int epoch, double value) const;
  void announce();

  Kind kind_;
  std::vector<double> values_, before_;
  double fallback_ = 0, top_ = 64;
  QStringList ends_;
  int epochs_ = 1, epoch_ = 0, hovered_ = -1;
  bool dragging_ = false, show_epochs_ = false;
};

}  // namespace ui
