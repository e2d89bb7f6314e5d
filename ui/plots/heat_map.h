#pragma once
/// Rows (layers) over columns (steps or heads), one colour scale, the scale bar always drawn.

#include <QWidget>
#include <vector>

namespace ui {

class HeatMap : public QWidget {
  Q_OBJECT

 public:
  HeatMap(const QString& name, const QString& row_title, QWidget* parent = nullptr);
  /// values[row][column]; NaN is drawn as a gap. `columns` are the steps, or what setColumnTitle
  /// says.
  void setValues(std::vector<std::vector<double>> values, std::vector<double> columns,
                 QStringList rows);
  void setScale(double low, double high, const QString& unit);
  void setColumnTitle(const QString& title);  ///< "step", "head"
  const std::vector<std::vector<double>>& values() const { return values_; }
  void setPlaceholder(const QString& text);
  QSize sizeHint() const override { return {280, 130}; }
  QSize minimumSizeHint() const override { return {180, 90}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  QRect grid() const;
  QString scaleText(double value) const;
  std::vector<std::vector<double>> values_;
  std::vector<double> columns_;
  QStringList rows_;
  QString row_title_, column_title_ = "step", unit_, placeholder_;
  double low_ = 0, high_ = 1;
};

}  // namespace ui
