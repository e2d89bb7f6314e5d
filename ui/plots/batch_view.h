#pragma once
/// The rows of one packed batch: documents as alternating shades with a tick where each begins,
/// padding hatched. Up and down choose a row, left and right the next document in it.

#include <QWidget>
#include <vector>

#include "engine/inspect.h"

namespace ui {

class BatchView : public QWidget {
  Q_OBJECT

 public:
  explicit BatchView(QWidget* parent = nullptr);
  void setBatch(engine::PackedBatch batch, std::uint64_t first_position);
  const engine::PackedBatch& batch() const { return batch_; }
  int row() const { return row_; }
  void select(int row, int token);
  QRect rowRect(int row) const;      ///< the bar of a row
  int documents(int row) const;      ///< that have tokens in the row
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void chosen(int row, int token);  ///< token −1: the row as a whole
  void hovered(const QString& text);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void leaveEvent(QEvent* event) override;

 private:
  int rowHeight() const;
  int labelWidth() const;
  double x(int row, double token) const;
  std::pair<int, int> at(QPoint point) const;  ///< row and token, −1 where there is none
  QString describe(int row, int token) const;

  engine::PackedBatch batch_;
  std::uint64_t first_ = 0;
  int row_ = -1, token_ = -1;
};

}  // namespace ui
