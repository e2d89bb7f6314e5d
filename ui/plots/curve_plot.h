#pragma once
/// Curves over optimizer steps: intervals as bands, the raw curve behind a smoothed one, names at
/// the curves' ends, a crosshair with exact values, and a zoom that arriving data do not undo. All
/// points are kept; only the screen is thinned. Points that keep arriving are drawn as often as
/// leaves most of the time to the rest of the window, and coarsely where a full picture takes long.

#include <QPicture>
#include <QRect>
#include <QWidget>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ui/plots/curve_data.h"
#include "ui/theme.h"

namespace ui {

struct CurveSpec {
  QString id;
  QString label;  ///< written at the curve's end
  std::function<SeriesStyle(Scheme)> style;
  bool band = false;     ///< draw CurvePoint::err
  double smoothing = 0;  ///< weight of the moving average, 0..1
  QString spread{};      ///< what CurvePoint::err is; empty: the half width of the 95 % interval
  bool edge = false;     ///< bounds the range of another curve: a curve without line, name and read-out of its own
};

/// What x counts.
struct CurveAxis {
  QString title = "optimizer step";  ///< with its unit
  QString word = "step";             ///< before a value in the read-out; the column in CSV
  int decimals = 0;
  bool clock = false;  ///< seconds since 1970, shown as local time
};

/// A place on the x axis that carries a text.
struct CurveMark {
  double x = 0;
  QString text;
  bool operator==(const CurveMark&) const = default;
};

class CurvePlot : public QWidget {
  Q_OBJECT

 public:
  CurvePlot(const QString& name, const QString& x_title, const QString& y_title,
            QWidget* parent = nullptr);
  ~CurvePlot() override;

  void setCurve(const CurveSpec& spec);  ///< adds, or restyles and keeps the points
  void setPoints(const QString& id, const std::vector<CurvePoint>& points);  ///< replaces all; x rising
  /// Adds all of `points` from the given place on; a lower x cuts the curve back to it.
  void append(const QString& id, const CurvePoints& points, std::size_t from = 0);
  /// A filled range around a curve that is there, as curves "<id> min" and "<id> max"; empty: none. x rising.
  void setRange(const QString& id, const std::vector<CurvePoint>& low, const std::vector<CurvePoint>& high);
  void removeCurve(const QString& id);
  void clearCurves();
  void setCurveShown(const QString& id, bool shown);
  const CurvePoints& points(const QString& id) const;
  QStringList curves() const;

  void setScaleY(double factor, int decimals);  ///< read-outs show y × factor with so many decimals
  void setTitleY(const QString& title);
  void setAxisX(const CurveAxis& axis);  ///< shows all where it is another one
  void setLogX(bool on);                 ///< from the first point above 0 on
  bool logX() const;
  /// Thin lines with their texts at the top, as far as there is room; near one the read-out has its text in full.
  void setMarks(std::vector<CurveMark> marks);
  void offerNotes(bool on);  ///< the context menu asks for a note at its place
  void setZeroLine(bool on);
  void setLogY(bool on);
  bool logY() const;
  void setFullX(std::optional<double> last_step);  ///< what "fit" shows at least: the planned end
  void setRangeX(double low, double high, bool by_user);
  void fit();  ///< shows all and follows new data
  bool following() const;
  void setPlaceholder(const QString& text);  ///< shown while there is no point

  QRect plotArea() const;  ///< the axis rectangle in this widget
  std::pair<double, double> rangeX() const;
  std::pair<double, double> rangeY() const;
  void setCrosshair(std::optional<double> x);
  QString readOut(double x) const;  ///< nearest point of every shown curve, plain text
  int replotCount() const;          ///< for tests: full replots so far

  /// Every point: curve,<word of x>,value,half_width_95; spread and spread_is instead where a curve has another one.
  QString csv() const;
  bool exportTo(const QString& file);  ///< by suffix: png, svg, pdf, csv
  void showExportDialog();
  /// As drawing commands, for a report. A plot that was never shown gets that size.
  QPicture picture(QSize size);

  QSize sizeHint() const override { return {640, 300}; }
  QSize minimumSizeHint() const override { return {240, 120}; }

 Q_SIGNALS:
  void crosshairMoved(std::optional<double> x);
  void noteWanted(double x);
  void rangeXChanged(double low, double high, bool by_user);

 protected:
  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  struct Impl;
  void request();
  void requestForPoints();
  void refresh();
  void drawInFull();
  void userMoved();
  std::unique_ptr<Impl> impl_;
};

}  // namespace ui
