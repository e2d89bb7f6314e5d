#pragma once
/// One small view of a diagnosis: its name, its one figure, a line of words, and a strip of bars or
/// cells. Pressed, it opens the full view.

#include <QAbstractButton>
#include <vector>

namespace ui {

class DiagnoseTile : public QAbstractButton {
  Q_OBJECT

 public:
  explicit DiagnoseTile(const QString& name, QWidget* parent = nullptr);
  /// `strip`: values 0..1 drawn as bars from the left; NaN: a gap. `cells`: as colours instead.
  void setContent(const QString& figure, const QString& words, std::vector<double> strip = {}, bool cells = false);
  QString figure() const { return figure_; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString figure_, words_;
  std::vector<double> strip_;
  bool cells_ = false;
};

}  // namespace ui
