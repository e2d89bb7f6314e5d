#pragma once
/// A matrix as colours: heads across layers, or keys across queries. One scale, its bar always
/// drawn; square or filling; values written in where there is room. The cell under the mouse and
/// the chosen one are told in words.

#include <QWidget>
#include <functional>
#include <vector>

namespace ui {

struct Matrix {
  int rows = 0, columns = 0;
  std::vector<double> values;  ///< row by row; NaN: a gap
  QString row_title, column_title;
  double low = 0, high = 1;    ///< of the scale
  bool diverging = false;      ///< the scale is centred at zero; low = −high
  bool root = false;           ///< colours follow the square root: small weights stay visible
  bool square = false;         ///< cells as wide as they are high, no values written in
  int decimals = 2;
  QString unit;
};

class MatrixView : public QWidget {
  Q_OBJECT

 public:
  explicit MatrixView(const QString& name, QWidget* parent = nullptr);
  void setMatrix(Matrix matrix);
  void setPlaceholder(const QString& text);
  /// What the tooltip says of a cell; empty: row, column and value.
  void setWords(std::function<QString(int row, int column)> words);
  void choose(int row, int column);
  const Matrix& matrix() const { return matrix_; }
  QRect cellRect(int row, int column) const;
  QSize sizeHint() const override { return {360, 260}; }
  QSize minimumSizeHint() const override { return {180, 140}; }

 Q_SIGNALS:
  void chosen(int row, int column);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  QRect grid() const;
  QString scaleText(double value) const;
  bool cellAt(QPoint at, int& row, int& column) const;
  QColor colourOf(double value) const;
  QString wordsOf(int row, int column) const;
  void drawCells(QPainter& p) const;
  void drawAxes(QPainter& p) const;
  void drawScale(QPainter& p) const;

  Matrix matrix_;
  QString placeholder_;
  std::function<QString(int, int)> words_;
  int row_ = -1, column_ = -1;
};

}  // namespace ui
