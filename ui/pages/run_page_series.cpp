/// What the lower plot of the Run page shows: training series, and series by formula; and what both plots are drawn over.

#include <QComboBox>
#include <QInputDialog>
#include <QLabel>
#include <cmath>

#include "ui/forms/formula_dialog.h"
#include "ui/forms/smoothing_box.h"
#include "ui/pages/run_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_formula[] = "formula:";

/// Nothing for what a schedule sets: its steps are exact.
std::optional<Smoothing::Kind> kindOf(const QString& key) {
  if (key == "train/learning_rate") return std::nullopt;
  const bool every_step = key == "loss" || key.startsWith("train/") || key.startsWith("transfer/");
  return every_step ? Smoothing::Training : Smoothing::Measured;
}

/// Of the axis of a training series.
QString seriesUnit(const QString& key, const QString& title) {
  if (key == "loss") return "loss, nats a token";
  if (key == "train/tokens_per_s") return "tokens/s";
  if (key == "transfer/") return "transfer loss";
  return title;
}

}  // namespace

void RunPage::refreshLoss(const RunData& shown) {
  loss_->setFullX(fullX(shown));
  const QString what = series_->currentData().toString();
  const double smoothing = weight(kindOf(what));
  smooth_loss_->setKind(kindOf(what));
  auto add = [&](const std::string& name, const QString& label,
                 std::function<SeriesStyle(Scheme)> style, double smoothed) {
    const auto it = shown.series.find(name);
    if (it == shown.series.end()) return;
    const QString id = QString::fromStdString(name);
    if (!loss_->curves().contains(id))
      loss_->setCurve({id, label, std::move(style), false, smoothed});
    std::size_t& taken = taken_[id];
    if (it->second.size() < taken) taken = 0;
    if (xAxis() != XAxis::step) {
      loss_->setPoints(id, over_(std::vector<CurvePoint>(it->second.begin(), it->second.end())));
    } else {
      if (taken == 0) loss_->setPoints(id, {});
      loss_->append(id, it->second, taken);
    }
    taken = it->second.size();
  };
  auto plain = [](double mixed, Qt::PenStyle dash, double width) {
    return [=](Scheme s) {
      const Colors& c = colorsFor(s);
      return SeriesStyle{mix(c.accent, c.secondary, mixed), dash, width,
                         dash == Qt::SolidLine ? Marker::none : Marker::disc, true};
    };
  };
  series_note_->hide();
  loss_->setTitleY(seriesUnit(what, series_->currentText()));
  if (what.startsWith(k_formula)) {
    refreshFormula(shown, what.mid(QString(k_formula).size()));
  } else if (what == "loss") {
    add("train/loss", "training", plain(0, Qt::SolidLine, 1.5), smoothing);
    add("validation/loss", "validation", plain(1, Qt::DashLine, 1.5), 0);
  } else if (what == "transfer/") {
    int layers = 0;
    for (const auto& [name, points] : shown.series)
      layers += name.starts_with("transfer/layer.") ? 1 : 0;
    for (int i = 0; i < layers; ++i)
      add(
          "transfer/layer." + std::to_string(i), QString("layer %1").arg(i),
          [i, layers](Scheme) {
            return SeriesStyle{sequentialColor(layers > 1 ? 0.15 + 0.75 * i / (layers - 1) : 0.5),
                               Qt::SolidLine, 1.5, Marker::none, false};
          },
          smoothing);
  } else {
    add(what.toStdString(), series_->currentText(), plain(0, Qt::SolidLine, 1.5), smoothing);
  }
}

/// Computed anew: a formula has no points of its own to append.
void RunPage::refreshFormula(const RunData& shown, const QString& name) {
  const DerivedSeries* series = derived_ ? derived_->find(name) : nullptr;
  const auto formula = series ? SeriesFormula::read(series->formula, {}, nullptr) : std::nullopt;
  if (!formula) return;
  loss_->setTitleY(series->unit.isEmpty() ? "value" : series->unit);
  if (!loss_->curves().contains(name))
    loss_->setCurve({name, name,
                     [](Scheme s) {
                       return SeriesStyle{colorsFor(s).accent, Qt::SolidLine, 1.5, Marker::disc, true};
                     },
                     true, weight(Smoothing::Measured)});
  loss_->setPoints(name, over_(formula->curve(shown, task())));
  const QStringList missing = formula->missing(shown, task());
  if (missing.isEmpty()) return;
  series_note_->setText("This run has no " + missing.join(", no ") + ".");
  series_note_->show();
}

double RunPage::weight(std::optional<Smoothing::Kind> kind) const {
  return smoothing_ && kind ? smoothing_->of(*kind) : 0;
}

void RunPage::setSmoothing(Smoothing* smoothing) {
  smoothing_ = smoothing;
  smooth_accuracy_->follow(smoothing);
  smooth_loss_->follow(smoothing);
  connect(smoothing, &Smoothing::changed, this, &RunPage::redraw);
  redraw();
}

void RunPage::redraw() {
  for (CurvePlot* plot : {accuracy_, loss_}) plot->clearCurves();
  taken_.clear();
  refresh();
}

void RunPage::setDerived(DerivedSeriesList* series) {
  derived_ = series;
  connect(series, &DerivedSeriesList::changed, this, &RunPage::fillFormulas);
  fillFormulas();
}

void RunPage::fillFormulas() {
  const QVariant before = series_->currentData();
  for (int i = series_->count() - 1; i >= 0; --i)
    if (series_->itemData(i).toString().startsWith(k_formula)) series_->removeItem(i);
  for (const DerivedSeries& s : derived_->all()) series_->addItem(s.name, k_formula + s.name);
  series_->setCurrentIndex(std::max(0, series_->findData(before)));
  loss_->clearCurves();
  taken_.clear();
  refresh();
}

void RunPage::showSeries(const QString& name) {
  const int at = series_->findText(name);
  if (at < 0) return;
  series_->setCurrentIndex(at);
  Q_EMIT series_->activated(at);
}

void RunPage::editFormulas() {
  const RunData* shown = run_ ? bridge_->dataWithSeries(run_) : nullptr;
  if (!shown || !derived_) return;
  auto* dialog = new FormulaDialog(
      derived_, metricNames(*shown),
      [this, id = run_](const SeriesFormula& formula) {
        const RunData* run = bridge_->dataWithSeries(id);
        return run ? pointsText(formula.curve(*run, task())) : QString();
      },
      this);
  connect(dialog, &FormulaDialog::chosen, this, &RunPage::showSeries);
  dialog->open();
}

XAxis RunPage::xAxis() const { return XAxis(x_->currentIndex()); }

void RunPage::setXAxis(XAxis axis) {
  x_->setCurrentIndex(int(axis));
  showAxis();
}

void RunPage::showAxis() {
  const XAxisInfo& info = infoOf(xAxis());
  const CurveAxis axis{info.title, info.word, info.decimals, info.axis == XAxis::clock};
  for (CurvePlot* plot : {accuracy_, loss_}) plot->setAxisX(axis);
  taken_.clear();
  refresh();
  accuracy_->fit();
  loss_->fit();
}

void RunPage::refreshMarks(const RunData& shown) {
  std::vector<CurveMark> marks;
  for (const StepNote& note : stepNotes(shown.info.notes))
    marks.push_back({over_(double(note.step)), QString::fromStdString(note.text)});
  for (CurvePlot* plot : {accuracy_, loss_}) {
    plot->setMarks(marks);
    plot->offerNotes(xAxis() == XAxis::step && !bridge_->readOnly());
  }
}

void RunPage::noteAt(std::int64_t step, const QString& text) {
  const engine::RunInfo* info = run_ ? bridge_->run(run_) : nullptr;
  if (!info) return;
  bridge_->annotate(run_, QString::fromStdString(info->name), QString::fromStdString(info->tags),
                    QString::fromStdString(withStepNote(info->notes, step, text.simplified().toStdString())));
}

void RunPage::askNote(double x) {
  const engine::RunInfo* info = run_ ? bridge_->run(run_) : nullptr;
  if (!info) return;
  const auto step = std::max<std::int64_t>(0, std::llround(x));
  QString before;
  for (const StepNote& note : stepNotes(info->notes))
    if (note.step == step) before = QString::fromStdString(note.text);
  auto* dialog = new QInputDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle("Note on the curves");
  dialog->setLabelText(QString("At step %1, kept as a line of the run's notes").arg(step));
  dialog->setTextValue(before);
  connect(dialog, &QInputDialog::textValueSelected, this,
          [this, step](const QString& text) { noteAt(step, text); });
  dialog->open();
}

/// Where the plan ends on the axis; time has no plan.
std::optional<double> RunPage::fullX(const RunData& shown) const {
  if (xAxis() == XAxis::elapsed || xAxis() == XAxis::clock) return std::nullopt;
  return over_(double(shown.plannedSteps()));
}

/// Series that no entry of the box shows get one of their own.
void RunPage::refreshSeries(const RunData& shown) {
  QStringList extra;
  for (const auto& [name, points] : shown.series) {
    const QString q = QString::fromStdString(name);
    if (q.contains("/layer.") || q.startsWith("train/") || q.startsWith("schedule/") ||
        q.startsWith("gate/") || q.startsWith("delta/") || q == "validation/loss")
      continue;
    if (series_->findData(q) < 0) extra << q;
  }
  for (const QString& q : extra) series_->addItem(QString(q).replace('/', ' '), q);
}

}  // namespace ui
