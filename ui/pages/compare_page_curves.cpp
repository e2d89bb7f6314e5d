/// The curves of the Compare page: components, logged series and formulas, over any axis.

#include <QComboBox>
#include <QLabel>
#include <QStackedWidget>
#include <QToolButton>

#include "ui/forms/formula_dialog.h"
#include "ui/forms/smoothing_box.h"
#include "ui/pages/compare_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_formula[] = "formula:";
constexpr char k_logged[] = "logged:";

struct Logged {
  const char* title;
  const char* formula;
  const char* unit;
};
/// Logged series that every comparison offers.
constexpr Logged k_series[] = {
    {"training loss", "\"train/loss\"", "loss, nats a token"},
    {"validation loss", "\"validation/loss\"", "loss, nats a token"},
    {"learning rate", "\"train/learning_rate\"", "learning rate"},
    {"tokens per second", "\"train/tokens_per_s\"", "tokens/s"},
    {"Δ hybrid − swa", "delta_h_swa", "points"},
    {"Δ linear − none", "delta_la_na", "points"},
};

CurveRange mapped(const StepMap& map, CurveRange range) {
  return {map(std::move(range.low)), map(std::move(range.high))};
}

}  // namespace

void ComparePage::addCurveChoices(QStringList& titles, QStringList& keys) const {
  titles << "hybrid and swa";
  keys << "";
  for (const std::string& c : comparedComponents(rows_, false)) {
    titles << QString::fromStdString(c);
    keys << titles.back();
  }
  for (const Logged& one : k_series) {
    titles << one.title;
    keys << QString(k_logged) + one.title;
  }
  if (!derived_) return;
  for (const DerivedSeries& s : derived_->all()) {
    titles << s.name;
    keys << k_formula + s.name;
  }
}

void ComparePage::putCurve(Filling& to, const QString& id, const QString& label,
                           const std::function<SeriesStyle(Scheme)>& style, const ComparedRow* row,
                           std::vector<CurvePoint> points, const CurveRange& range) {
  to.kept << id;
  const bool other = row && row->runs.size() > 1 && row->spread != Grouping::Spread::interval;
  const QString spread = other ? spreadText(row->spread).remove("± ") : QString();
  if (!to.plot->curves().contains(id))
    to.plot->setCurve({id, label, style, true, row ? to.smoothing : 0, spread});
  to.plot->setPoints(id, std::move(points));
  to.plot->setRange(id, range.low, range.high);
  if (!range.low.empty()) to.kept << id + " min" << id + " max";
}

/// Seeds of one setting have the plan of the first; their times differ, and the first one's stand for all.
StepMap ComparePage::over(const ComparedRow& row) {
  if (xAxis() == XAxis::step || row.runs.empty()) return {};
  const bool timed = xAxis() == XAxis::elapsed || xAxis() == XAxis::clock;
  return {xAxis(), *row.runs[0],
          timed ? bridge_->stepTimes(row.runs[0]->info.id) : std::vector<engine::StepTime>()};
}

void ComparePage::refreshCurves() {
  missing_->hide();
  if (view_->currentIndex() != Curves) return;
  std::vector<BarSeries> legend;
  QStringList lacking;
  Filling above{curves_, {}, legend, lacking}, below{beneath_plot_, {}, legend, lacking};
  smooth_->setKind(kindOf(group_->currentData().toString()));
  fillCurves(above, group_->currentData().toString());
  const bool two = !beneath().isEmpty();
  beneath_plot_->setVisible(two);
  if (two) fillCurves(below, beneath_->currentData().toString());
  for (const Filling& filled : {above, below})
    for (const QString& id : filled.plot->curves())
      if (!filled.kept.contains(id)) filled.plot->removeCurve(id);
  alignCurves();
  std::vector<BarSeries> once;
  for (BarSeries& s : legend)
    if (std::none_of(once.begin(), once.end(), [&](const BarSeries& o) { return o.label == s.label; }))
      once.push_back(std::move(s));
  fillLegend(once);
  lacking.removeDuplicates();
  missing_->setText("Not drawn: " + lacking.join("; ") + ".");
  missing_->setVisible(!lacking.isEmpty());
}

/// Both plots end where the longer one does, so that one x stands at one place in both.
void ComparePage::alignCurves() {
  std::optional<double> last;
  for (CurvePlot* plot : {curves_, beneath_plot_})
    for (const QString& id : plot->curves())
      if (const CurvePoints& points = plot->points(id); !points.empty())
        last = std::max(last.value_or(points.back().x), points.back().x);
  for (CurvePlot* plot : {curves_, beneath_plot_})
    if (!plot->isHidden()) plot->setFullX(last);
}

void ComparePage::fitCurves() {
  for (CurvePlot* plot : {curves_, beneath_plot_})
    if (!plot->isHidden()) plot->fit();
}

/// Nothing for what a schedule sets: its steps are exact.
std::optional<Smoothing::Kind> ComparePage::kindOf(const QString& key) {
  if (key.startsWith(k_formula)) return Smoothing::Measured;
  if (!key.startsWith(k_logged)) return Smoothing::Accuracy;
  const QString title = key.mid(QString(k_logged).size());
  if (title == "learning rate") return std::nullopt;
  return title == "training loss" || title == "tokens per second" ? Smoothing::Training : Smoothing::Measured;
}

void ComparePage::setSmoothing(Smoothing* smoothing) {
  smoothing_ = smoothing;
  smooth_->follow(smoothing);
  connect(smoothing, &Smoothing::changed, this, &ComparePage::redrawCurves);
}

/// How they are drawn has changed, not what.
void ComparePage::redrawCurves() {
  for (CurvePlot* plot : {curves_, beneath_plot_}) plot->clearCurves();
  refresh();
}

void ComparePage::fillCurves(Filling& to, const QString& key) {
  const auto kind = kindOf(key);
  to.smoothing = smoothing_ && kind ? smoothing_->of(*kind) : 0;
  if (key.startsWith(k_logged)) {
    for (const Logged& one : k_series)
      if (key == QString(k_logged) + one.title)
        if (const auto formula = SeriesFormula::read(one.formula, {}, nullptr))
          fillFormulaCurves(to, *formula, one.title, one.unit);
  } else if (key.startsWith(k_formula) && derived_) {
    const DerivedSeries* series = derived_->find(key.mid(QString(k_formula).size()));
    const auto formula = series ? SeriesFormula::read(series->formula, {}, nullptr) : std::nullopt;
    if (formula) fillFormulaCurves(to, *formula, series->name, series->unit);
  } else {
    fillComponentCurves(to, key.toStdString());
  }
}

void ComparePage::fillComponentCurves(Filling& to, const std::string& wanted) {
  const std::vector<std::string> components =
      wanted.empty() ? std::vector<std::string>{"hybrid", "swa"} : std::vector{wanted};
  to.plot->setTitleY("accuracy, %");
  to.plot->setScaleY(1, 2);
  double first = 0, last = 1;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    const StepMap map = over(rows_[r]);
    if (r == 0) first = map(0);
    for (const std::string& c : components) {
      auto points = map(curveOf(rows_[r], c, task()));
      if (!points.empty()) last = std::max(last, points.back().x);
      putCurve(
          to,
          QString("%1/%2/%3")
              .arg(rows_[r].runs[0]->info.id)
              .arg(rows_[r].runs.size())
              .arg(QString::fromStdString(c)),
          components.size() > 1 && c != "hybrid" ? rows_[r].name + " swa" : rows_[r].name,
          [c, r](Scheme s) {
            return runStyle(componentStyle(QString::fromStdString(c), s), int(r), s);
          },
          &rows_[r], std::move(points), mapped(map, rangeOf(rows_[r], c, task())));
    }
  }
  for (const ComparedRow& row : printed())
    for (const std::string& c : components)
      if (const Estimate* e = row.find(c, task()))
        putCurve(
            to, "paper/" + row.name + QString::fromStdString(c),
            QString::fromStdString(c) + ", " + row.name.section(" ·", 0, 0),
            [c](Scheme s) {
              SeriesStyle style = componentStyle(QString::fromStdString(c), s);
              return SeriesStyle{style.color, Qt::DashLine, 1.2, Marker::none, false};
            },
            nullptr, {{first, e->value * 100, 0}, {last, e->value * 100, 0}}, {});
  for (const std::string& c : components)
    to.legend.push_back({QString::fromStdString(c),
                         [c](Scheme sc) { return componentStyle(QString::fromStdString(c), sc); },
                         {},
                         {}});
}

void ComparePage::fillFormulaCurves(Filling& to, const SeriesFormula& formula, const QString& name,
                                    const QString& unit) {
  to.plot->setTitleY(unit.isEmpty() ? name : unit);
  to.plot->setScaleY(1, 4);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    QStringList missing;
    for (const RunData* run : rows_[r].runs) {
      bridge_->dataWithSeries(run->info.id);
      missing << formula.missing(*run, task());
    }
    missing.removeDuplicates();
    if (!missing.isEmpty()) to.lacking << rows_[r].name + " (no " + missing.join(", no ") + ")";
    const StepMap map = over(rows_[r]);
    putCurve(
        to, QString("%1/%2/%3").arg(rows_[r].runs[0]->info.id).arg(rows_[r].runs.size()).arg(name),
        rows_[r].name,
        [r](Scheme s) { return runStyle(componentStyle("hybrid", s), int(r), s); }, &rows_[r],
        map(curveOf(rows_[r], formula, task())), mapped(map, rangeOf(rows_[r], formula, task())));
  }
  to.legend.push_back({name, [](Scheme s) { return componentStyle("hybrid", s); }, {}, {}});
}

QString ComparePage::missingText() const { return missing_->isHidden() ? QString() : missing_->text(); }

void ComparePage::setDerived(DerivedSeriesList* series) {
  derived_ = series;
  connect(series, &DerivedSeriesList::changed, this, &ComparePage::refresh);
}

void ComparePage::showCurvesOf(const QString& title) {
  showView(Curves);
  group_->setCurrentIndex(std::max(0, group_->findText(title)));
  refresh();
  fitCurves();
}

/// Every metric of any of the runs; the usual ones of the first come first.
void ComparePage::editFormulas() {
  if (!derived_ || runs_.empty()) return;
  QStringList names;
  for (engine::RunId id : runs_)
    if (const RunData* run = bridge_->dataWithSeries(id)) names << metricNames(*run);
  names.removeDuplicates();
  auto* dialog = new FormulaDialog(
      derived_, names,
      [this](const SeriesFormula& formula) {
        int have = 0;
        for (const RunData* run : chosen()) have += formula.curve(*run, task()).empty() ? 0 : 1;
        return QString("%1 of %2 runs have it.").arg(have).arg(runs_.size());
      },
      this);
  connect(dialog, &FormulaDialog::chosen, this, &ComparePage::showCurvesOf);
  dialog->open();
}

XAxis ComparePage::xAxis() const { return XAxis(x_->currentIndex()); }

void ComparePage::setXAxis(XAxis axis) {
  x_->setCurrentIndex(int(axis));
  showAxis();
}

void ComparePage::showAxis() {
  const XAxisInfo& info = infoOf(xAxis());
  for (CurvePlot* plot : {curves_, beneath_plot_})
    plot->setAxisX({info.title, info.word, info.decimals, info.axis == XAxis::clock});
  refresh();
  fitCurves();
}

}  // namespace ui
