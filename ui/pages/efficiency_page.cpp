#include "ui/pages/efficiency_page.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QFile>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSpinBox>
#include <QStackedWidget>
#include <algorithm>

#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/plots/log_plot.h"
#include "ui/whole_file.h"

namespace ui {
namespace {

constexpr std::int64_t k_longest = 1 << 20;

}  // namespace

std::optional<Efficiency> EfficiencyPage::asked(QString& problem) const {
  Efficiency e;
  e.bench.lengths.clear();
  for (const QString& word : lengths_->text().split(QRegularExpression("[,;\\s]+"), Qt::SkipEmptyParts)) {
    bool number = false;
    const std::int64_t length = word.toLongLong(&number);
    if (!number || length < 1 || length > k_longest) {
      problem = QString("Lengths: \"%1\" is no number of tokens from 1 to %2").arg(word).arg(k_longest);
      return std::nullopt;
    }
    e.bench.lengths.push_back(length);
  }
  std::sort(e.bench.lengths.begin(), e.bench.lengths.end());
  e.bench.lengths.erase(std::unique(e.bench.lengths.begin(), e.bench.lengths.end()), e.bench.lengths.end());
  if (e.bench.lengths.size() < 2) {
    problem = "Lengths: name two or more, separated by commas; a curve needs them";
    return std::nullopt;
  }
  e.bench.dtype = dtype_->currentText().toStdString();
  e.bench.heads = e.bench.groups = heads_->value();
  e.bench.head_dim = head_dim_->value();
  e.bench.columns = columns_->value();
  e.bench.window = window_->value();
  e.bench.against = {"sdpa", "swa"};
  e.threads = threads_->value();
  e.repeats = repeats_->value();
  return e;
}

void EfficiencyPage::start() {
  QString problem;
  auto wanted = asked(problem);
  if (!measure_ || !blocked_.isEmpty() || !wanted) return;
  job_->start(
      "Measuring attention",
      [wanted = *wanted, measure = measure_](const engine::Watch& watch) {
        Efficiency e = wanted;
        const auto all = std::int64_t(e.bench.lengths.size() * e.bench.passes.size());
        std::int64_t done = 0;
        engine::BenchOptions options;
        options.threads = e.threads, options.repeats = e.repeats;
        options.stop = [&] { return watch.stop.stop_requested(); };
        options.row = [&](const engine::BenchRow& row) {
          if (row.what == "attention") watch.progress(++done, "of " + std::to_string(all) + " measurements");
        };
        e.rows = measure(e.bench, options);
        std::erase_if(e.rows, [](const engine::BenchRow& row) { return row.what != "attention"; });
        e.when = QDateTime::currentDateTime();
        e.machine = QString::fromStdString(engine::machine_name());
        return e;
      },
      [this](Efficiency found) {
        show(std::move(found));
        keep();
      });
  sync();
}

/// A folder that cannot be written costs a new measurement next time, nothing else.
void EfficiencyPage::keep() const {
  std::error_code ignored;
  std::filesystem::create_directories(cache_, ignored);
  writeWhole(QString::fromStdString(keptAt().string()), toJson(*shown_).toStdString());
}

void EfficiencyPage::readKept() {
  QFile file(QString::fromStdString(keptAt().string()));
  if (!file.open(QIODevice::ReadOnly)) return;
  auto kept = efficiencyFrom(file.readAll());
  if (!kept) return;
  QStringList lengths;
  for (auto length : kept->bench.lengths) lengths << QString::number(qint64(length));
  lengths_->setText(lengths.join(", "));
  dtype_->setCurrentText(QString::fromStdString(kept->bench.dtype));
  threads_->setValue(kept->threads);
  heads_->setValue(int(kept->bench.heads));
  head_dim_->setValue(int(kept->bench.head_dim));
  columns_->setValue(int(kept->bench.columns));
  window_->setValue(int(kept->bench.window));
  repeats_->setValue(kept->repeats);
  show(std::move(*kept));
}

void EfficiencyPage::show(Efficiency found) {
  shown_ = std::move(found);
  table_->rows()->setRows(efficiencyRows(*shown_));
  table_->fitColumns();
  const int threads = shown_->rows.empty() ? shown_->threads : shown_->rows.front().threads;
  origin_->setText(QString("Measured %1 on %2 with %3 %4: %5, %6 heads of %7, %8 features, window %9.")
                       .arg(shown_->when.toString("yyyy-MM-dd HH:mm"), shown_->machine)
                       .arg(threads)
                       .arg(threads == 1 ? "thread" : "threads")
                       .arg(QString::fromStdString(shown_->bench.dtype))
                       .arg(shown_->bench.heads)
                       .arg(shown_->bench.head_dim)
                       .arg(2 * shown_->bench.columns)
                       .arg(shown_->bench.window));
  whole_->setCurrentIndex(1);
  refresh();
  sync();
}

void EfficiencyPage::showQuantity(int index) {
  quantity_->button(index)->setChecked(true);
  refresh();
}

void EfficiencyPage::refresh() {
  if (!shown_) return;
  const Quantity& quantity = quantities()[std::size_t(quantity_->checkedId())];
  std::vector<LogCurve> curves;
  for (EfficiencyCurve& c : curvesOf(*shown_, quantity))
    curves.push_back({c.name, [component = c.component](Scheme scheme) { return componentStyle(component, scheme); }, std::move(c.points)});
  plot_->setPlaceholder(quantity.memory ? "Memory was not measured: it is on Linux' processors only." : "Not measured.");
  plot_->setData(quantity.axis, std::move(curves));
  const auto at = crossoverOf(*shown_, quantity);
  plot_->setMark(at, at ? QString("equal at about %L1 tokens").arg(qint64(std::llround(*at))) : QString());
  verdict_->setText(crossoverText(*shown_, quantity));
}

QString EfficiencyPage::verdictText() const { return verdict_->text(); }

void EfficiencyPage::setBlocked(const QString& reason) {
  blocked_ = reason;
  sync();
}

void EfficiencyPage::sync() {
  QString problem;
  const bool fits = asked(problem).has_value();
  problem_->setText(problem);
  problem_->setVisible(!fits);
  const QString why = !measure_ ? "This build measures nothing: it has no tensor part" : !blocked_.isEmpty() ? blocked_ : problem;
  start_->setEnabled(why.isEmpty() && !job_->busy());
  start_->setText(shown_ ? "Measure again" : "Measure");
  start_->setToolTip(why.isEmpty() ? "Time and memory of one attention layer at each length; the window stays usable meanwhile" : why);
  export_->setEnabled(shown_.has_value());
}

bool EfficiencyPage::exportTo(const QString& file) {
  if (!shown_) return false;
  const bool done = file.endsWith(".json") ? writeWhole(file, toJson(*shown_).toStdString()) : plot_->exportTo(file);
  Q_EMIT notice(done ? "Written: " + file : file + " cannot be written", !done);
  return done;
}

void EfficiencyPage::askExport() {
  const QString file = QFileDialog::getSaveFileName(this, "Export the measurement", "efficiency.png",
                                                    "Picture (*.png);;Vector picture (*.svg);;To print (*.pdf);;Points of the plot (*.csv);;As data (*.json)");
  if (!file.isEmpty()) exportTo(file);
}

}  // namespace ui
