#pragma once
/// The plan on the x axis of the curves above it: stages, and in fine-tuning each epoch's window
/// dropout (filled height) and window (text), with the present moment marked.

#include <QWidget>
#include <optional>
#include <vector>

namespace ui {

struct StripSegment {
  double first = 0, last = 0;  ///< optimizer steps
  QString title;               ///< "transfer", "epoch 1"
  bool schedule = false;       ///< dropout and window mean something
  double dropout = 0;
  long window = 0;
  bool operator==(const StripSegment&) const = default;
};

class ScheduleStrip : public QWidget {
  Q_OBJECT

 public:
  explicit ScheduleStrip(QWidget* parent = nullptr);
  void setSegments(std::vector<StripSegment> segments);
  void setMoment(std::optional<double> step);
  void setCrosshair(std::optional<double> step);
  /// Shown range and the pixels it spans, as the curves above draw it.
  void setView(double low, double high, int left, int right);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {200, sizeHint().height()}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  double toPixel(double step) const;
  std::vector<StripSegment> segments_;
  std::optional<double> moment_, cross_;
  double low_ = 0, high_ = 1;
  int left_ = 60, right_ = 400;
};

}  // namespace ui
