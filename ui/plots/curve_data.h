#pragma once
/// One curve as it grows, and fewer points for the screen of which none is lost for the eye: of each
/// stretch of at most one pixel column the lowest and the highest one. Summaries of stretches are
/// kept, so that a picture takes hardly longer where there are a million points.

#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace ui {

struct CurvePoint {
  double x = 0, y = 0;
  double err = 0;  ///< half width of the 95 % interval; 0: none
  bool operator==(const CurvePoint&) const = default;
};

/// Grows in place: many long curves that move their points at the same moment would be a pause.
using CurvePoints = std::deque<CurvePoint>;

/// x rises. Non-finite y are gaps.
class CurveData {
 public:
  /// A point whose x is not beyond the last one's cuts the curve back to it.
  void append(const CurvePoint& point);
  void clear() { cut(0); }
  const CurvePoints& points() const { return points_; }

  /// Points within [x0, x1] and one beyond each side: the first and the last, and of the others
  /// about three a column. Columns are equally wide in x, or in its logarithm (then x0 is above 0).
  std::vector<CurvePoint> thin(double x0, double x1, int columns, bool logarithmic = false) const;
  struct Range {
    double low, high;
  };
  /// Of the finite y within [x0, x1]; with their intervals, or of those above zero only.
  enum class Values { plain, with_intervals, positive };
  std::optional<Range> rangeY(double x0, double x1, Values values) const;

 private:
  /// Of a stretch of points. It holds the points themselves: those of the curve lie far apart in memory.
  struct Stretch {
    double first_x = 0, last_x = 0;
    bool has_gap = false, has_points = false;
    double gap_x = 0;                      ///< the last one's
    CurvePoint low, high;                  ///< valid with has_points
    double low_bound = 0, high_bound = 0;  ///< with intervals
    double low_positive = 0;               ///< the lowest y above zero; 0: none
  };

  struct Block {
    Stretch of;
    std::size_t end = 0;  ///< the place after its last point
  };

  void cut(std::size_t size);
  static Stretch of(const CurvePoint& point);
  static void add(Stretch& to, const Stretch& more);
  template <class Fits>
  Block blockAt(std::size_t first, std::size_t& level, Fits&& fits) const;
  Stretch over(std::size_t first, std::size_t end) const;
  std::size_t placeOf(double x) const;  ///< of the first point at x or beyond

  CurvePoints points_;
  std::vector<std::deque<Stretch>> levels_;  ///< whole blocks of 16, 32, 64, … points
};

/// The exponential moving average of a curve with the start-up bias removed, kept up point by
/// point. Gaps stay gaps.
class MovingAverage {
 public:
  explicit MovingAverage(double weight = 0) : weight_(weight) {}  ///< 0 … 1
  void follow(const CurvePoints& curve);  ///< what the curve has more; clear first where it was cut
  void clear();
  const CurveData& data() const { return data_; }

 private:
  double weight_, mean_ = 0, share_ = 0;
  CurveData data_;
};

}  // namespace ui
