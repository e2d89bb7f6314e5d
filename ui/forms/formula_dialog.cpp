#include "ui/forms/formula_dialog.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme.h"

namespace ui {
namespace {

QLineEdit* line(const QString& name, const QString& hint, const QString& tip) {
  auto* edit = new QLineEdit;
  edit->setAccessibleName(name);
  edit->setPlaceholderText(hint);
  edit->setToolTip(tip);
  return edit;
}

/// As a formula takes it: in quotation marks where a sign of arithmetic is in it.
QString spelt(const QString& metric) {
  for (const char* sign : {"/", "-", "+", "*", " "})
    if (metric.contains(sign)) return '"' + metric + '"';
  return metric;
}

}  // namespace

FormulaDialog::FormulaDialog(DerivedSeriesList* series, QStringList names, Preview preview, QWidget* parent)
    : QDialog(parent), series_(series), names_(std::move(names)), preview_(std::move(preview)) {
  setObjectName("formula");
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle("Series by formula");
  list_ = new QListWidget;
  list_->setAccessibleName("Series by formula");
  list_->setToolTip("Choose one to show or change it");
  list_->setMaximumHeight(6 * fontMetrics().height());
  list_->setSpacing(2);
  formula_ = line("Formula", "hybrid - swa", "Metrics, numbers, + - * / and brackets; abs, exp, log, sqrt. A point stands at each step where every "
                                             "metric has a value.");
  metrics_ = new QComboBox;
  metrics_->setAccessibleName("Insert a metric");
  metrics_->addItem("Insert a metric…");
  metrics_->addItems(names_);
  metrics_->setMaximumWidth(280);
  problem_ = new QLabel;
  problem_->setProperty("role", "problem");
  found_ = new QLabel;
  found_->setProperty("role", "secondary");
  for (QLabel* label : {problem_, found_}) {
    label->setWordWrap(true);
    useFont(label, TextRole::secondary);
  }
  name_ = line("Name", "the formula itself", "How lists and legends call it");
  unit_ = line("Unit", "points, nats, …", "Written at the axis. Accuracies are in percent, their differences in points.");
  auto* form = new QFormLayout;
  form->setHorizontalSpacing(12);
  form->setVerticalSpacing(8);
  form->addRow("Formula", formula_);
  form->addRow({}, problem_);
  form->addRow({}, found_);
  form->addRow({}, metrics_);
  form->addRow("Unit", unit_);
  form->addRow("Name", name_);
  put_ = new QPushButton("Add");
  put_->setDefault(true);
  put_->setProperty("role", "primary");
  remove_ = new QPushButton("Remove");
  auto* close = new QPushButton("Close");
  auto* buttons = new QHBoxLayout;
  buttons->addWidget(remove_);
  buttons->addStretch();
  buttons->addWidget(put_);
  buttons->addWidget(close);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 16, 16, 16);
  layout->setSpacing(12);
  layout->addWidget(list_);
  layout->addLayout(form);
  layout->addStretch();
  layout->addLayout(buttons);
  resize(520, 400);
  connect(formula_, &QLineEdit::textChanged, this, &FormulaDialog::check);
  connect(name_, &QLineEdit::textChanged, this, &FormulaDialog::check);
  connect(metrics_, &QComboBox::activated, this, [this](int index) {
    if (index > 0) formula_->insert(spelt(metrics_->itemText(index)) + " ");
    metrics_->setCurrentIndex(0);
    formula_->setFocus();
  });
  connect(list_, &QListWidget::currentTextChanged, this, &FormulaDialog::choose);
  connect(put_, &QPushButton::clicked, this, &FormulaDialog::add);
  connect(remove_, &QPushButton::clicked, this, [this] {
    if (const auto* item = list_->currentItem()) series_->remove(item->text());
  });
  connect(close, &QPushButton::clicked, this, &QDialog::close);
  connect(series_, &DerivedSeriesList::changed, this, &FormulaDialog::fillList);
  fillList();
  check();
  formula_->setFocus();
}

QString FormulaDialog::problem() const { return problem_->text(); }

void FormulaDialog::fillList() {
  const QString before = list_->currentItem() ? list_->currentItem()->text() : QString();
  const QSignalBlocker quiet(list_);
  list_->clear();
  for (const DerivedSeries& s : series_->all()) {
    list_->addItem(s.name);
    list_->item(list_->count() - 1)->setToolTip(s.formula);
    if (s.name == before) list_->setCurrentRow(list_->count() - 1);
  }
  list_->setVisible(list_->count() > 0);
  remove_->setVisible(list_->count() > 0);
}

void FormulaDialog::choose(const QString& name) {
  const DerivedSeries* s = series_->find(name);
  if (!s) return;
  formula_->setText(s->formula);
  unit_->setText(s->unit);
  name_->setText(s->name == s->formula ? QString() : s->name);
  Q_EMIT chosen(name);
}

void FormulaDialog::check() {
  QString why;
  read_ = SeriesFormula::read(formula_->text(), names_, &why);
  if (read_)
    for (const QString& name : read_->names())
      if (!names_.contains(name)) why = QString("“%1” is no metric of what is shown").arg(name);
  const bool empty = formula_->text().trimmed().isEmpty();
  problem_->setText(empty || why.isEmpty() ? QString() : why[0].toUpper() + why.mid(1) + ".");
  problem_->setVisible(!problem_->text().isEmpty());
  found_->setVisible(read_ && why.isEmpty());
  if (read_ && why.isEmpty()) found_->setText(preview_(*read_));
  put_->setEnabled(read_ && why.isEmpty());
  const QString name = name_->text().trimmed().isEmpty() && read_ ? read_->text() : name_->text().trimmed();
  put_->setText(series_->find(name) ? "Change" : "Add");
}

void FormulaDialog::add() {
  if (!put_->isEnabled() || !read_) return;
  const QString name = name_->text().trimmed().isEmpty() ? read_->text() : name_->text().trimmed();
  series_->put({name, read_->text(), unit_->text().trimmed()});
  Q_EMIT chosen(name);
  check();
}

}  // namespace ui
