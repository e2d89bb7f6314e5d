#pragma once
/// Series computed from others by a formula, such as `hybrid - swa` or `exp("validation/loss")`. Values belong to steps: a
/// point stands where every input has one, exactly there; nothing is interpolated.

#include <QObject>
#include <QStringList>
#include <optional>
#include <vector>

#include "ui/models/expression.h"
#include "ui/models/run_data.h"

namespace ui {

/// What a run has values of: components and both differences (percent and points, on the tasks chosen where it is shown),
/// "component@task" for a single task, and every logged series.
QStringList metricNames(const RunData& run);

class SeriesFormula {
 public:
  /// `names` tells "train/loss" from a quotient; a quoted name is one anyway. Nothing: `problem` says why.
  static std::optional<SeriesFormula> read(const QString& text, const QStringList& names, QString* problem);
  /// Names in quotation marks where they would be taken for a sum: reads the same whatever a run has logged.
  const QString& text() const { return text_; }
  QStringList names() const;
  /// A lone name keeps its 95 % intervals; of anything computed none is known.
  std::vector<CurvePoint> curve(const RunData& run, const std::string& task) const;
  QStringList missing(const RunData& run, const std::string& task) const;  ///< names that it has no value of

 private:
  QString text_;
  expression::Arithmetic sum_;
};

QString pointsText(const std::vector<CurvePoint>& points);  ///< "42 points, the last 3.1 at step 168"

struct DerivedSeries {
  QString name, formula, unit;  ///< `formula` as SeriesFormula::text
  bool operator==(const DerivedSeries&) const = default;
};

/// The person's own series, the same on every page; kept with the session.
class DerivedSeriesList : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;
  const std::vector<DerivedSeries>& all() const { return all_; }
  const DerivedSeries* find(const QString& name) const;
  void put(const DerivedSeries& series);  ///< an equal name is written over
  void remove(const QString& name);
  QStringList toSettings() const;                     ///< name, formula, unit, name, …
  void restore(const QStringList& settings);          ///< what cannot be read is left out

 Q_SIGNALS:
  void changed();

 private:
  std::vector<DerivedSeries> all_;
};

}  // namespace ui
