#pragma once
/// Which keys each branch sees at one epoch: queries down, keys across, once for kept and once for
/// dropped windows.

#include <QWidget>

namespace ui {

struct MaskPicture {
  int tokens = 256;  ///< sequence length
  int window = 64;
  double dropout = 0;
  bool overlap = false;  ///< linear attention sees the window too
  bool all_when_dropped = true;
  bool linear_only = false;
  int epoch = 0;
  QString drop_unit = "sequence";
};

class MaskView : public QWidget {
  Q_OBJECT

 public:
  explicit MaskView(QWidget* parent = nullptr);
  void setPicture(const MaskPicture& picture);
  QString sentence() const;  ///< what is drawn, in words
  QSize sizeHint() const override { return {300, 200}; }
  QSize minimumSizeHint() const override { return {220, 130}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void drawMask(class QPainter& painter, const QRect& box, bool window,
                bool linear_everywhere) const;
  MaskPicture picture_;
};

}  // namespace ui
