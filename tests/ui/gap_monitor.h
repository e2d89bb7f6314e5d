#pragma once
/// Gaps between turns of the event loop: how long the window would not have answered, by the clock
/// and by what it computed itself.

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>
#include <algorithm>
#include <ctime>
#include <vector>

namespace test {

/// Seconds that this thread has computed: what other programs take of the processor is not in it.
inline double computed() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

class GapMonitor : public QObject {
 public:
  GapMonitor() {
    timer_.setTimerType(Qt::PreciseTimer);
    timer_.setInterval(1);
    connect(&timer_, &QTimer::timeout, this, [this] {
      gaps_.push_back(double(clock_.nsecsElapsed()) / 1e6);
      own_.push_back(1e3 * (computed() - last_));
      clock_.start();
      last_ = computed();
    });
  }
  void start() {
    clock_.start();
    last_ = computed();
    timer_.start();
  }
  void stop() { timer_.stop(); }
  double quantile(double q) const { return quantileOf(gaps_, q); }
  double ownQuantile(double q) const { return quantileOf(own_, q); }
  /// The gap in which a moment chosen at random falls, in q of all cases: long gaps weigh more.
  double feltQuantile(double q) const {
    std::vector<double> values = gaps_;
    std::sort(values.begin(), values.end());
    double whole = 0, sum = 0;
    for (double v : values) whole += v;
    for (double v : values)
      if ((sum += v) >= q * whole) return v;
    return 0;
  }
  std::size_t count() const { return gaps_.size(); }

 private:
  static double quantileOf(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[std::size_t(q * double(values.size() - 1))];
  }
  QTimer timer_;
  QElapsedTimer clock_;
  double last_ = 0;
  std::vector<double> gaps_, own_;
};

}  // namespace test
