#include "ui/pages/diagnose_views.h"

#include <QComboBox>
#include <QEvent>
#include <QFontMetrics>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/forms/copy_table.h"
#include "ui/models/diagnosis_tables.h"
#include "ui/models/head_measures.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/bar_plot.h"
#include "ui/plots/matrix_view.h"

namespace ui {
namespace {

constexpr const char* k_scored[] = {"teacher", "hybrid", "swa", "linear", "none"};

QString text(const std::string& s) { return QString::fromStdString(s); }

/// Colour and name of each component that bars stand for, in their order.
class ComponentLegend : public QWidget {
 public:
  ComponentLegend() {
    setAccessibleName("Components");
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  }

  QSize sizeHint() const override {
    const QFontMetrics fm(secondaryFont());
    int width = 0;
    for (const char* name : k_scored) width += placeOf(fm, name);
    return {width, fm.height() + 4};
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter p(this);
    p.setFont(secondaryFont());
    const QFontMetrics fm(secondaryFont());
    const int square = fm.ascent() * 3 / 4;
    int x = 0;
    for (const char* name : k_scored) {
      p.fillRect(x, (height() - square) / 2, square, square, componentStyle(name, schemeOf(this)).color);
      p.setPen(colorsOf(this).secondary);
      p.drawText(QRect(x + square + 5, 0, fm.horizontalAdvance(name) + 2, height()), Qt::AlignLeft | Qt::AlignVCenter, name);
      x += placeOf(fm, name);
    }
  }
  void changeEvent(QEvent* event) override {
    QWidget::changeEvent(event);
    if (changesLook(event)) updateGeometry();
  }

 private:
  static int placeOf(const QFontMetrics& fm, const char* name) { return fm.ascent() * 3 / 4 + 5 + fm.horizontalAdvance(name) + 16; }
};

QVBoxLayout* columnOf(QWidget* page) {
  auto* column = new QVBoxLayout(page);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  return column;
}

CopyTable* tableOf(QWidget* parent, const QString& name, std::vector<Column> columns) {
  return new CopyTable(newRows(parent, std::move(columns)), name);
}

void fill(CopyTable* table, Rows rows) {
  table->rows()->setRows(std::move(rows));
  table->fitColumns();
}

QHBoxLayout* controlRow(const QString& name, QWidget* control, QLabel* note) {
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  auto* label = new QLabel(name);
  label->setProperty("role", "secondary");
  row->addWidget(label);
  row->addWidget(control);
  row->addWidget(note, 1);
  return row;
}

QLabel* saying(const QString& sentence) {
  auto* label = noteLabel();
  label->setText(sentence);
  return label;
}

}  // namespace

Bar accuracyBar(const engine::Estimate& accuracy) {
  return {100 * accuracy.value, 100 * (accuracy.value - accuracy.low), 100 * (accuracy.high - accuracy.value)};
}

ExposureView::ExposureView(QWidget* parent) : DiagnosisView(parent), table_(tableOf(this, "Exposure", exposureColumns())) {
  auto* column = columnOf(this);
  column->addWidget(saying("Only a scored token with some key outside its window can show linear attention. Where nothing is exposed, hybrid and window compute "
                           "the same, and a difference of 0 means nothing: those examples stand apart in the last column."));
  column->addWidget(table_, 1);
}

void ExposureView::setDiagnosis(const engine::Diagnosis& d) { fill(table_, exposureRows(d)); }

ProfileView::ProfileView(Axis axis, QWidget* parent)
    : DiagnosisView(parent), axis_(axis), choice_(new QComboBox), note_(noteLabel()),
      bars_(new BarPlot(axis == Axis::distance ? "accuracy by distance" : "accuracy by length", "accuracy, %")),
      table_(tableOf(this, axis == Axis::distance ? "By look-back distance" : "By prompt length", {})) {
  choice_->setAccessibleName(axis == Axis::distance ? "Probe" : "Task");
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(bars_);
  split->addWidget(table_);
  split->setSizes({260, 180});
  auto* column = columnOf(this);
  auto* row = controlRow(axis == Axis::distance ? "Probe" : "Task", choice_, note_);
  row->addWidget(new ComponentLegend);
  column->addLayout(row);
  column->addWidget(split, 1);
  connect(choice_, &QComboBox::currentIndexChanged, this, [this] { showProfile(); });
}

void ProfileView::setDiagnosis(const engine::Diagnosis& d) {
  profiles_ = axis_ == Axis::distance ? d.distance : d.length;
  const QString before = choice_->currentText();
  {
    const QSignalBlocker quiet(choice_);
    choice_->clear();
    for (const auto& p : profiles_) choice_->addItem(text(p.name));
    choice_->setCurrentIndex(std::max(0, choice_->findText(before)));
  }
  showProfile();
}

void ProfileView::showProfile() {
  const int at = choice_->currentIndex();
  if (at < 0 || at >= int(profiles_.size())) {
    bars_->setPlaceholder("Not measured.");
    bars_->setData({}, {});
    fill(table_, {});
    return;
  }
  const engine::Profile& p = profiles_[std::size_t(at)];
  note_->setText(!p.problem.empty()                ? text(p.problem)
                 : axis_ == Axis::distance ? "Tokens from the query back to what it needs; whiskers are 95 % intervals over documents."
                                           : "Tokens of the prompt; whiskers are 95 % intervals over documents.");
  QStringList groups;
  std::vector<BarSeries> series;
  for (const auto& b : p.bins) groups << QString("%1–%2").arg(b.low).arg(b.high - 1);
  for (const char* name : k_scored) {
    BarSeries s{name, [name](Scheme scheme) { return componentStyle(name, scheme); }, {}};
    for (const auto& b : p.bins) {
      const auto found = std::find_if(b.scores.begin(), b.scores.end(), [&](const auto& x) { return x.component == name; });
      if (found == b.scores.end()) s.bars.push_back(std::nullopt);
      else s.bars.push_back(accuracyBar(found->accuracy));
    }
    series.push_back(std::move(s));
  }
  bars_->setPlaceholder(p.problem.empty() ? QString() : "Not asked: " + text(p.problem) + ".");
  bars_->setData(groups, p.bins.empty() ? std::vector<BarSeries>{} : series);
  table_->rows()->setColumns(binColumns(p));
  fill(table_, binRows(p));
}

LayersView::LayersView(QWidget* parent)
    : DiagnosisView(parent), measure_(new QComboBox), matrix_(new MatrixView("layers and heads")), table_(tableOf(this, "Layers and heads", headColumns())) {
  measure_->setAccessibleName("Measure");
  for (const HeadMeasure& m : headMeasures()) measure_->addItem(m.title);
  auto* split = plainSplitter(Qt::Horizontal);
  split->addWidget(matrix_);
  split->addWidget(table_);
  split->setSizes({420, 560});
  auto* column = columnOf(this);
  column->addLayout(controlRow("Measure", measure_, saying("Point at a cell for its value. The scale is 0 to 1 for every model, so that runs can be compared by eye.")));
  column->addWidget(split, 1);
  connect(measure_, &QComboBox::currentIndexChanged, this, [this] { showMeasure(); });
  connect(matrix_, &MatrixView::chosen, this, [this](int layer, int head) { table_->chooseRow(int(d_.layers + layer * d_.heads + head)); });
}

void LayersView::setDiagnosis(const engine::Diagnosis& d) {
  d_.layers = d.layers, d_.heads = d.heads, d_.inside = d.inside, d_.no_mass = d.no_mass;
  fill(table_, headRows(d));
  showMeasure();
}

void LayersView::showMeasure() {
  const HeadMeasure& measure = headMeasures()[std::size_t(measure_->currentIndex())];
  matrix_->setPlaceholder(whyNoHeads(d_, measure));
  matrix_->setMatrix(headMatrix(d_, measure));
}

KnockoutView::KnockoutView(QWidget* parent)
    : DiagnosisView(parent), branch_(new QComboBox), matrix_(new MatrixView("knock-outs")), table_(tableOf(this, "Knock-outs", knockoutColumns())) {
  branch_->setAccessibleName("Branch");
  branch_->addItem("linear attention taken out", "linear");
  branch_->addItem("window taken out", "window");
  auto* split = plainSplitter(Qt::Horizontal);
  split->addWidget(matrix_);
  split->addWidget(table_);
  split->setSizes({420, 560});
  auto* column = columnOf(this);
  column->addLayout(controlRow("Heads", branch_, saying("Rise of the loss when one head loses the branch, nats a token; the table has whole layers too.")));
  column->addWidget(split, 1);
  connect(branch_, &QComboBox::currentIndexChanged, this, [this] { showBranch(); });
}

void KnockoutView::setDiagnosis(const engine::Diagnosis& d) {
  d_.layers = d.layers, d_.heads = d.heads, d_.knockouts = d.knockouts;
  fill(table_, knockoutRows(d));
  showBranch();
}

void KnockoutView::showBranch() {
  matrix_->setPlaceholder("Not measured.");
  matrix_->setMatrix(knockoutMatrix(d_, branch_->currentData().toString().toStdString()));
}

FeaturesView::FeaturesView(QWidget* parent)
    : DiagnosisView(parent), maps_(tableOf(this, "Feature maps", featureColumns())), denominators_(tableOf(this, "Denominators", denominatorColumns())),
      histogram_(new BarPlot("denominators", "share of rows, %")) {
  auto* right = plainSplitter(Qt::Vertical);
  right->addWidget(histogram_);
  right->addWidget(denominators_);
  right->setSizes({260, 160});
  auto* split = plainSplitter(Qt::Horizontal);
  split->addWidget(maps_);
  split->addWidget(right);
  split->setSizes({560, 420});
  auto* column = columnOf(this);
  column->addWidget(saying("Distance from the start, condition, effective rank, and features that are dead or saturated; right: log₁₀ of Σφφ over rows that have a key, all layers."));
  column->addWidget(split, 1);
}

void FeaturesView::setDiagnosis(const engine::Diagnosis& d) {
  if (!d.features) {
    histogram_->setPlaceholder("Not measured.");
    histogram_->setData({}, {});
    return;
  }
  fill(maps_, featureRows(*d.features));
  histogram_->setPlaceholder(d.no_mass.empty() ? "Not measured." : text(d.no_mass));
  fill(denominators_, denominatorRows(*d.features));
  double low = 1e300, high = -1e300, rows = 0;
  for (const auto& n : d.features->denominators)
    if (n.rows > 0) low = std::min(low, n.log_low), high = std::max(high, n.log_high), rows += double(n.rows);
  constexpr int k_groups = 12;
  std::vector<double> counts(k_groups, 0);
  for (const auto& n : d.features->denominators)
    for (std::size_t b = 0; b < n.histogram.size(); ++b) {
      const double middle = n.log_low + (double(b) + 0.5) * (n.log_high - n.log_low) / double(n.histogram.size());
      counts[std::size_t(std::clamp(int((middle - low) / std::max(1e-9, high - low) * k_groups), 0, k_groups - 1))] += double(n.histogram[b]);
    }
  QStringList groups;
  BarSeries s{"rows", [](Scheme scheme) { return componentStyle("linear", scheme); }, {}};
  for (int g = 0; g < k_groups && rows > 0; ++g) {
    groups << QString::number(low + (g + 0.5) * (high - low) / k_groups, 'f', 1);
    s.bars.push_back(Bar{100 * counts[std::size_t(g)] / rows, 0});
  }
  histogram_->setData(groups, groups.isEmpty() ? std::vector<BarSeries>{} : std::vector<BarSeries>{s});
}

}  // namespace ui
