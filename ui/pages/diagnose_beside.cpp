#include "ui/pages/diagnose_beside.h"

#include <QComboBox>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>
#include <algorithm>
#include <cmath>

#include "ui/forms/copy_table.h"
#include "ui/models/diagnosis_tables.h"
#include "ui/models/head_measures.h"
#include "ui/pages/checkpoint_picker.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/matrix_view.h"

namespace ui {
namespace {

constexpr int k_column_width = 260;

QString text(const std::string& s) { return QString::fromStdString(s); }

QLabel* wrapped(const QString& words) {
  auto* label = new QLabel(words);
  label->setTextFormat(Qt::PlainText);
  label->setWordWrap(true);
  label->setTextInteractionFlags(Qt::TextSelectableByMouse);
  return label;
}

QString deltasOf(const engine::Diagnosis& d) {
  if (!d.verdict) return "No verdict was asked for.";
  return QString("Δ hybrid − swa %1\nΔ linear − none %2\npoints, %3 of %4 examples exposed")
      .arg(pointsText(d.verdict->delta_h_swa.difference), pointsText(d.verdict->delta_la_na.difference))
      .arg(d.verdict->exposed)
      .arg(d.verdict->examples);
}

}  // namespace

BesideView::BesideView(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent), picker_(new CheckpointPicker(bridge, "to stand beside")), add_(new QPushButton(lineIcon("plus"), " Add")), measure_(new QComboBox),
      table_(new CopyTable(newRows(this, besideColumns()), "Checkpoints side by side")) {
  measure_->setAccessibleName("Measure side by side");
  for (const HeadMeasure& m : headMeasures()) measure_->addItem(m.title);
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  auto* beside = new QLabel("Beside");
  auto* measure = new QLabel("Heads by");
  for (QLabel* label : {beside, measure}) label->setProperty("role", "secondary");
  row->addWidget(beside);
  row->addWidget(picker_, 1);
  row->addWidget(add_);
  row->addSpacing(16);
  row->addWidget(measure);
  row->addWidget(measure_);
  auto* content = new QWidget;
  columns_ = new QHBoxLayout(content);
  columns_->setContentsMargins(0, 0, 0, 0);
  columns_->setSpacing(16);
  auto* scroll = new QScrollArea;
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setAccessibleName("Checkpoints");
  scroll->setWidget(content);
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(scroll);
  split->addWidget(table_);
  split->setSizes({320, 130});
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  column->addLayout(row);
  column->addWidget(split, 1);
  connect(add_, &QPushButton::clicked, this, &BesideView::addWanted);
  connect(measure_, &QComboBox::currentIndexChanged, this, &BesideView::showMeasure);
  setAddingBlocked({});
}

void BesideView::setAddingBlocked(const QString& reason) {
  add_->setEnabled(reason.isEmpty());
  add_->setToolTip(reason.isEmpty() ? "Show this checkpoint beside the others; it is measured with the same tasks where that was not done yet" : reason);
}

void BesideView::setDiagnoses(std::vector<engine::Diagnosis> all) {
  all_ = std::move(all);
  rebuild();
}

QWidget* BesideView::columnOf(int index) {
  const engine::Diagnosis& d = all_[std::size_t(index)];
  auto* whole = new QWidget;
  whole->setMinimumWidth(k_column_width);
  auto* title = partHeading(text(d.name));
  title->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  title->setToolTip(QString("%1, %2, window %3, seed %4").arg(text(d.name), text(d.checkpoint)).arg(d.window).arg(d.seed));
  auto* head = new QHBoxLayout;
  head->addStrut(28);  // as high without the button
  head->addWidget(title, 1);
  if (index > 0) {
    auto* remove = new QToolButton;
    remove->setProperty("role", "flat");
    remove->setIcon(lineIcon("close"));
    remove->setToolTip("Take it away");
    remove->setAccessibleName("Take away " + text(d.name));
    connect(remove, &QToolButton::clicked, this, [this, index] { Q_EMIT removeWanted(index); });
    head->addWidget(remove);
  }
  auto* place = noteLabel();
  place->setText(QString("%1, window %2, seed %3").arg(text(d.checkpoint)).arg(d.window).arg(d.seed));
  auto* deltas = noteLabel();
  deltas->setText(deltasOf(d));
  auto* matrix = new MatrixView("heads of " + text(d.name));
  matrices_.push_back(matrix);
  auto* column = new QVBoxLayout(whole);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(4);
  column->addLayout(head);
  column->addWidget(place);
  column->addWidget(wrapped(d.verdict ? text(d.verdict->headline) : "No verdict"));
  column->addWidget(deltas);
  column->addWidget(matrix, 1);
  return whole;
}

void BesideView::rebuild() {
  while (QLayoutItem* item = columns_->takeAt(0)) {
    if (item->widget()) item->widget()->deleteLater();
    delete item;
  }
  matrices_.clear();
  for (int i = 0; i < int(all_.size()); ++i) columns_->addWidget(columnOf(i), 1);
  if (all_.size() == 1) {
    auto* hint = noteLabel();
    hint->setText("Choose another run or another checkpoint above and press Add: verdicts, heads and figures then stand side by side.");
    hint->setAlignment(Qt::AlignCenter);
    columns_->addWidget(hint, 1);
  }
  table_->rows()->setRows(besideRows(all_));
  table_->fitColumns();
  showMeasure();
}

/// One scale for all of them, up to the largest value in sight.
void BesideView::showMeasure() {
  const HeadMeasure& measure = headMeasures()[std::size_t(measure_->currentIndex())];
  double low = 0, high = 1e-3;
  std::vector<Matrix> shown;
  for (const auto& d : all_) {
    shown.push_back(headMatrix(d, measure));
    for (double v : shown.back().values)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  }
  high = std::min(1.0, std::ceil(high * 20) / 20);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    shown[i].diverging = low < 0;
    shown[i].high = low < 0 ? std::max(high, -low) : high;
    shown[i].low = low < 0 ? -shown[i].high : 0;
    matrices_[i]->setPlaceholder(whyNoHeads(all_[i], measure));
    matrices_[i]->setMatrix(std::move(shown[i]));
  }
}

}  // namespace ui
