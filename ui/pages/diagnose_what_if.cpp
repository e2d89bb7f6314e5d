#include "ui/pages/diagnose_what_if.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <algorithm>

#include "ui/forms/copy_table.h"
#include "ui/models/diagnosis_tables.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/bar_plot.h"

namespace ui {
namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }

QHBoxLayout* labelled(const std::vector<std::pair<const char*, QWidget*>>& controls) {
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  for (auto [name, control] : controls) {
    auto* label = new QLabel(name);
    label->setProperty("role", "secondary");
    row->addWidget(label);
    row->addWidget(control);
  }
  return row;
}

}  // namespace

WhatIfView::WhatIfView(QWidget* parent)
    : DiagnosisView(parent), probe_(new QComboBox), component_(new QComboBox), weight_(new QDoubleSpinBox), window_(new QSpinBox), context_(new QComboBox),
      sinks_(new QSpinBox), layers_(new QLineEdit), save_(new QPushButton(lineIcon("save"), " Save as evaluation")), told_(noteLabel()),
      bars_(new BarPlot("what if", "accuracy, %")), table_(new CopyTable(newRows(this, whatIfColumns()), "What if")) {
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(bars_);
  split->addWidget(table_);
  split->setSizes({220, 200});
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  column->addWidget(buildControls());
  column->addWidget(told_);
  column->addWidget(split, 1);
  connect(probe_, &QComboBox::currentIndexChanged, this, &WhatIfView::ask);
  connect(component_, &QComboBox::currentIndexChanged, this, &WhatIfView::ask);
  connect(context_, &QComboBox::currentIndexChanged, this, &WhatIfView::ask);
  connect(weight_, &QDoubleSpinBox::valueChanged, this, &WhatIfView::ask);
  connect(window_, &QSpinBox::valueChanged, this, &WhatIfView::ask);
  connect(sinks_, &QSpinBox::valueChanged, this, &WhatIfView::ask);
  connect(layers_, &QLineEdit::editingFinished, this, [this] {
    if (layers_->isModified()) ask();
    layers_->setModified(false);
  });
  connect(save_, &QPushButton::clicked, this, [this] { Q_EMIT saveWanted(*tried_); });
  syncSave();
}

QWidget* WhatIfView::buildControls() {
  probe_->setAccessibleName("Probe");
  probe_->setToolTip("The examples that are scored again: one task answers sooner than all");
  component_->addItems({"hybrid", "hybrid-overlap", "swa", "linear", "linear-outside", "swa+sinks", "sinks", "none", "teacher"});
  component_->setAccessibleName("Component");
  weight_->setRange(-0.05, 1);
  weight_->setSingleStep(0.05);
  weight_->setDecimals(2);
  weight_->setValue(-0.05);
  weight_->setSpecialValueText("as trained");
  weight_->setAccessibleName("Weight g of the window");
  weight_->setToolTip("g of every layer and head: 1 is the window alone, 0 linear attention alone");
  weight_->setKeyboardTracking(false);
  window_->setRange(0, 4096);
  window_->setSingleStep(8);
  window_->setSpecialValueText("stored");
  window_->setSuffix(" tokens");
  window_->setAccessibleName("Window");
  window_->setKeyboardTracking(false);
  context_->setAccessibleName("Linear context");
  context_->addItem("as converted", "");
  context_->addItem("outside", "outside");
  context_->addItem("overlap", "overlap");
  sinks_->setRange(-1, 256);
  sinks_->setValue(-1);
  sinks_->setSpecialValueText("as converted");
  sinks_->setAccessibleName("Sinks");
  sinks_->setToolTip("First positions that swa+sinks and sinks always see");
  sinks_->setKeyboardTracking(false);
  layers_->setAccessibleName("Component of each layer");
  save_->setAccessibleName("Save as evaluation");
  auto* controls = new QWidget;
  auto* column = new QVBoxLayout(controls);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  auto* first = labelled({{"Probe", probe_}, {"Component", component_}, {"g", weight_}, {"Window", window_}, {"Linear context", context_}, {"Sinks", sinks_}});
  first->addStretch();
  auto* second = labelled({{"Layer by layer", layers_}});
  second->addWidget(save_);
  column->addLayout(first);
  column->addLayout(second);
  return controls;
}

void WhatIfView::ask() {
  const auto asked = setting();
  const auto known = [&](const std::string& name) { return component_->findText(text(name)) >= 0; };
  const bool fits = asked.layers.empty() || (std::int64_t(asked.layers.size()) == layer_count_ && std::all_of(asked.layers.begin(), asked.layers.end(), known));
  if (!fits) {
    told_->setText(QString("Layer by layer: expected %1 components joined by /, each one of the list beside \"Component\".").arg(layer_count_));
    return;
  }
  Q_EMIT wanted(asked);
}

engine::WhatIf WhatIfView::setting() const {
  engine::WhatIf w;
  w.component = component_->currentText().toStdString();
  w.weight = weight_->value() < 0 ? -1 : weight_->value();
  w.window = window_->value();
  w.context = context_->currentData().toString().toStdString();
  w.sinks = sinks_->value();
  for (const QString& layer : layers_->text().split('/', Qt::SkipEmptyParts)) w.layers.push_back(layer.trimmed().toStdString());
  return w;
}

std::string WhatIfView::probe() const { return probe_->currentData().toString().toStdString(); }

void WhatIfView::setDiagnosis(const engine::Diagnosis& d) {
  sweep_ = d.what_if;
  history_.clear();
  tried_.reset();
  stored_.reset();
  stored_there_.reset();
  layer_count_ = d.layers;
  layers_->setPlaceholderText(QString("all as chosen; or %1 components: hybrid/swa/…").arg(d.layers));
  layers_->setToolTip(QString("One component for each of the %1 layers, from layer 0, joined by /; empty: all as chosen").arg(d.layers));
  for (const auto& c : d.components)
    if (c.component == "hybrid") stored_ = engine::WhatIfResult{{}, "stored: hybrid, window " + std::to_string(d.window), c, {}, {}, 0};
  {
    const QSignalBlocker quiet(probe_);
    const QVariant before = probe_->currentData();
    probe_->clear();
    probe_->addItem("all tasks", "");
    for (const auto& e : d.exposure)
      if (e.scored && e.task != "all") probe_->addItem(text(e.task), text(e.task));
    probe_->setCurrentIndex(std::max(0, probe_->findData(before)));
  }
  told_->setText("Change a control: the same examples are scored again with that setting and drawn beside the stored one.");
  refresh();
}

void WhatIfView::setTried(const engine::WhatIfResult& result, const engine::ComponentScore& stored) {
  tried_ = result;
  stored_there_ = stored;
  probed_ = !probe().empty();
  engine::WhatIfResult listed = result;
  if (probed_) listed.text += " on " + probe();
  history_.insert(history_.begin(), listed);
  told_->setText(QString("%1: %2 %, %3 points against the stored setting on the same examples (%4 s)")
                     .arg(text(listed.text), accuracyText(result.all.accuracy), pointsText(result.against_stored.difference))
                     .arg(result.seconds, 0, 'f', 2));
  refresh();
}

void WhatIfView::setSaved(const std::map<ScoreKey, std::vector<ScorePoint>>& settings) {
  saved_.clear();
  for (const auto& [key, points] : settings) {
    if (key.task != "all") continue;
    for (const ScorePoint& p : points) {
      engine::WhatIfResult r;
      r.text = "saved, step " + std::to_string(std::int64_t(p.step)) + ": " + key.component;
      r.all.accuracy = {p.value, p.value - half95(p.stderr_), p.value + half95(p.stderr_), p.n};
      saved_.push_back(std::move(r));
    }
  }
  refresh();
}

void WhatIfView::setSavingBlocked(const QString& reason) {
  blocked_ = reason;
  syncSave();
}

void WhatIfView::syncSave() {
  const QString why = !blocked_.isEmpty() ? blocked_ : tried_ ? QString() : "Change a control first: what it gives is what can be stored";
  save_->setEnabled(why.isEmpty());
  save_->setToolTip(why.isEmpty() ? "Store what was tried last with the run; it is listed here and on Compare, apart from the run's own evaluations" : why);
}

void WhatIfView::refresh() {
  std::vector<engine::WhatIfResult> rows = history_;
  if (stored_) rows.push_back(*stored_);
  for (const auto* more : {&saved_, &sweep_}) rows.insert(rows.end(), more->begin(), more->end());
  table_->rows()->setRows(whatIfRows(rows));
  table_->fitColumns();
  refreshBars();
  syncSave();
}

/// The stored setting, what was tried, then the sweep of windows where it is of the same examples; the table has the rest.
void WhatIfView::refreshBars() {
  QStringList groups;
  std::vector<BarSeries> series;
  auto add = [&](const QString& group, const std::string& component, const engine::Estimate& accuracy) {
    const QString name = text(component);
    auto own = std::find_if(series.begin(), series.end(), [&](const BarSeries& s) { return s.label == name; });
    if (own == series.end()) own = series.insert(series.end(), BarSeries{name, [name](Scheme scheme) { return componentStyle(name, scheme); }, {}});
    own->bars.resize(std::size_t(groups.size()));
    own->bars.push_back(accuracyBar(accuracy));
    groups << group;
  };
  if (stored_there_) add("stored", "hybrid", stored_there_->accuracy);
  else if (stored_) add("stored", "hybrid", stored_->all.accuracy);
  if (tried_) add("tried: " + text(tried_->setting.component), tried_->setting.component, tried_->all.accuracy);
  if (!tried_ || !probed_)
    for (const auto& r : sweep_)
      if (r.setting.component == "hybrid" && r.setting.window > 0) add(QString("window %1").arg(r.setting.window), "hybrid", r.all.accuracy);
  bars_->setPlaceholder("Not measured.");
  bars_->setData(groups, series);
}

}  // namespace ui
