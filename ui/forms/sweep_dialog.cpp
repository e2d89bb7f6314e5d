#include "ui/forms/sweep_dialog.h"

#include <QComboBox>
#include <QCompleter>
#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/pages/page_parts.h"
#include "ui/theme.h"

namespace ui {

SweepDialog::SweepDialog(engine::Recipe base, QWidget* parent)
    : QDialog(parent), base_(std::move(base)) {
  setObjectName("sweep");
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle("Sweep");
  auto* about = noteLabel();
  about->setText(
      "Every combination becomes a run of its own in the queue. Lists such as the dropout schedule "
      "take semicolons between their values: 0.9, 0.5; 0.5.");
  rows_ = new QVBoxLayout;
  rows_->setSpacing(8);
  auto* more = new QPushButton(lineIcon("plus"), " Add a field");
  more->setToolTip("Another field that takes several values");
  connect(more, &QPushButton::clicked, this, [this] { addAxis(); });
  seeds_ = new QLineEdit;
  seeds_->setPlaceholderText("e.g. 0, 1, 2");
  seeds_->setAccessibleName("Seeds");
  seeds_->setToolTip("Whole numbers with commas between; empty: the recipe's own seed");
  auto* seeds = new QHBoxLayout;
  auto* seeds_label = new QLabel("Seeds");
  seeds_label->setBuddy(seeds_);
  seeds->addWidget(seeds_label);
  seeds->addSpacing(8);
  seeds->addWidget(seeds_, 1);
  problem_ = new QLabel;
  problem_->setWordWrap(true);
  names_ = new QListWidget;
  names_->setAccessibleName("Runs of the sweep");
  names_->setSelectionMode(QAbstractItemView::NoSelection);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
  queue_ = buttons->addButton("Queue", QDialogButtonBox::AcceptRole);
  queue_->setProperty("role", "primary");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 16, 16, 16);
  layout->setSpacing(12);
  layout->addWidget(about);
  layout->addLayout(rows_);
  layout->addWidget(more, 0, Qt::AlignLeft);
  layout->addLayout(seeds);
  layout->addWidget(problem_);
  layout->addWidget(names_, 1);
  layout->addWidget(buttons);
  resize(600, 520);
  connect(seeds_, &QLineEdit::textChanged, this, &SweepDialog::refresh);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(buttons, &QDialogButtonBox::accepted, this, [this] {
    Q_EMIT queued(sweep_.recipes);
    accept();
  });
  refresh();
  seeds_->setFocus();
}

void SweepDialog::setSeeds(const QString& text) { seeds_->setText(text); }

bool SweepDialog::isList(const QString& path) const {
  engine::Recipe recipe = base_;
  for (const engine::Field& field : engine::fields(recipe))
    if (QString::fromStdString(field.info.path) == path) return field.get().index() >= 4;
  return false;
}

void SweepDialog::addAxis(const QString& path, const QString& values) {
  auto* row = new QWidget;
  auto* line = new QHBoxLayout(row);
  line->setContentsMargins(0, 0, 0, 0);
  line->setSpacing(8);
  auto* field = new QComboBox;
  field->setEditable(true);
  field->setInsertPolicy(QComboBox::NoInsert);
  field->setAccessibleName(QString("Field %1").arg(axes_.size() + 1));
  engine::Recipe recipe = base_;
  for (const engine::Field& f : engine::fields(recipe))
    if (f.info.path != "name" && f.info.path != "seed") {
      field->addItem(QString::fromStdString(f.info.path));
      field->setItemData(field->count() - 1, QString::fromStdString(f.info.doc), Qt::ToolTipRole);
    }
  field->completer()->setCompletionMode(QCompleter::PopupCompletion);
  field->completer()->setFilterMode(Qt::MatchContains);
  field->lineEdit()->setPlaceholderText("field, e.g. attention.window");
  field->lineEdit()->setAccessibleName(field->accessibleName());
  field->setCurrentIndex(-1);
  field->setCurrentText(path);
  auto* edit = new QLineEdit(values);
  edit->setPlaceholderText("values");
  edit->setAccessibleName(QString("Values of field %1").arg(axes_.size() + 1));
  auto* remove = new QToolButton;
  remove->setProperty("role", "flat");
  remove->setIcon(lineIcon("close"));
  remove->setToolTip("Leave this field out");
  remove->setAccessibleName(QString("Remove field %1").arg(axes_.size() + 1));
  line->addWidget(field, 3);
  line->addWidget(edit, 2);
  line->addWidget(remove);
  rows_->addWidget(row);
  axes_.push_back({row, field, edit});
  connect(remove, &QToolButton::clicked, this, [this, row] {
    std::erase_if(axes_, [row](const Axis& a) { return a.row == row; });
    row->hide();
    row->deleteLater();
    refresh();
  });
  connect(field, &QComboBox::currentTextChanged, this, [this, field, edit] {
    engine::Recipe base = base_;
    for (const engine::Field& f : engine::fields(base))
      if (QString::fromStdString(f.info.path) == field->currentText())
        edit->setPlaceholderText("values, now " + QString::fromStdString(engine::to_text(f.get())));
    refresh();
  });
  connect(edit, &QLineEdit::textChanged, this, &SweepDialog::refresh);
  refresh();
  field->setFocus();
}

std::vector<std::string> sweepValues(const QString& text, bool list) {
  std::vector<std::string> out;
  for (const QString& part : text.split(list ? ';' : ',', Qt::SkipEmptyParts))
    if (const QString value = part.trimmed(); !value.isEmpty())
      out.push_back(list ? "[" + value.toStdString() + "]" : value.toStdString());
  return out;
}

void SweepDialog::refresh() {
  std::vector<engine::SweepAxis> axes;
  for (const Axis& a : axes_) {
    const QString path = a.field->currentText().trimmed();
    if (path.isEmpty() && a.values->text().isEmpty()) continue;
    axes.push_back({path.toStdString(), sweepValues(a.values->text(), isList(path))});
  }
  std::vector<std::int64_t> seeds;
  QString problem;
  for (const QString& part : seeds_->text().split(',', Qt::SkipEmptyParts)) {
    bool whole = false;
    seeds.push_back(part.trimmed().toLongLong(&whole));
    if (!whole || seeds.back() < 0)
      problem = QString("Seeds: “%1” is no whole number").arg(part.trimmed());
    if (std::count(seeds.begin(), seeds.end(), seeds.back()) > 1)
      problem = QString("Seeds: %1 is there twice").arg(part.trimmed());
  }
  sweep_ = engine::expand_sweep(base_, axes, seeds);
  for (const engine::Problem& p : sweep_.problems)
    if (problem.isEmpty() && !p.warning)
      problem = QString::fromStdString(p.path + (p.path.empty() ? "" : ": ") + p.message);
  const std::size_t n = sweep_.recipes.size();
  const bool something = !axes.empty() || !seeds.empty();
  queue_->setEnabled(problem.isEmpty() && something);
  queue_->setText(something ? QString("Queue %1 %2").arg(n).arg(n == 1 ? "run" : "runs") : "Queue");
  problem_->setText(!problem.isEmpty() ? problem
                    : something        ? QString("%1 %2:").arg(n).arg(n == 1 ? "run" : "runs")
                                       : QString("Add a field with several values, or seeds."));
  problem_->setProperty("role", problem.isEmpty() ? "secondary" : "problem");
  repolish(problem_);
  names_->clear();
  if (!problem.isEmpty() || !something) return;
  for (const engine::Recipe& recipe : sweep_.recipes)
    names_->addItem(QString::fromStdString(recipe.name));
}

}  // namespace ui
