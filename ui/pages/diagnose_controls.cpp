#include <QComboBox>
#include <QEvent>
#include <QGridLayout>
#include <QLineEdit>
#include <QSpinBox>
#include <QTextBrowser>
#include <algorithm>

#include "ui/forms/copy_table.h"
#include "ui/models/diagnosis_tables.h"
#include "ui/pages/diagnose_views.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/matrix_view.h"

namespace ui {
namespace {

constexpr const char* k_views[] = {"teacher", "linear", "hybrid"};

QString text(const std::string& s) { return QString::fromStdString(s); }

QLabel* quiet(const QString& name) {
  auto* label = new QLabel(name);
  label->setProperty("role", "secondary");
  return label;
}

QSpinBox* spin(const QString& name, int low, int high, int value) {
  auto* box = new QSpinBox;
  box->setRange(low, high);
  box->setValue(value);
  box->setAccessibleName(name);
  box->setKeyboardTracking(false);
  return box;
}

}  // namespace

MapsView::MapsView(QWidget* parent)
    : DiagnosisView(parent), prompt_(new QLineEdit), layer_(spin("Layer of the maps", 0, 0, 0)), head_(spin("Head of the maps", 0, 0, 0)), pair_(noteLabel()) {
  prompt_->setAccessibleName("Prompt of the maps");
  prompt_->setPlaceholderText("an example's prompt; type one of your own and press Enter");
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  for (auto [name, control] : {std::pair<const char*, QWidget*>{"Layer", layer_}, {"Head", head_}, {"Prompt", prompt_}}) {
    row->addWidget(quiet(name));
    row->addWidget(control, control == prompt_ ? 1 : 0);
  }
  auto* grid = new QGridLayout;
  grid->setSpacing(8);
  for (int i = 0; i < 3; ++i) {
    titles_[i] = partHeading(k_views[i]);
    titles_[i]->setWordWrap(true);
    titles_[i]->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    titles_[i]->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);  // the three pictures share the width
    views_[i] = new MatrixView(QString("map, %1").arg(k_views[i]));
    views_[i]->setPlaceholder("Not measured.");
    views_[i]->setWords([this, i](int r, int c) { return words(i, r, c); });
    grid->addWidget(titles_[i], 0, i);
    grid->addWidget(views_[i], 1, i);
    grid->setColumnStretch(i, 1);
    connect(views_[i], &MatrixView::chosen, this, &MapsView::showRow);
  }
  grid->setRowStretch(1, 1);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  column->addLayout(row);
  column->addLayout(grid, 1);
  column->addWidget(pair_);
  for (QSpinBox* box : {layer_, head_}) connect(box, &QSpinBox::valueChanged, this, &MapsView::ask);
  connect(prompt_, &QLineEdit::returnPressed, this, &MapsView::ask);
}

void MapsView::ask() {
  engine::MapQuery q;
  q.prompt = prompt_->text().toStdString();
  q.layer = layer_->value(), q.head = head_->value();
  Q_EMIT wanted(q);
}

void MapsView::setDiagnosis(const engine::Diagnosis& d) {
  const QSignalBlocker layer(layer_), head(head_);
  layer_->setMaximum(std::max(0, int(d.layers) - 1));
  head_->setMaximum(std::max(0, int(d.heads) - 1));
  for (int i = 1; i < 3; ++i) views_[i]->setPlaceholder(d.no_mass.empty() ? "Not measured." : text(d.no_mass));
  if (d.maps) setMaps(*d.maps);
}

void MapsView::setMaps(const engine::AttentionMaps& maps) {
  const QSignalBlocker layer(layer_), head(head_);
  maps_ = maps;
  layer_->setValue(int(maps.layer));
  head_->setValue(int(maps.head));
  for (int i = 0; i < 3; ++i) {
    titles_[i]->setText(k_views[i]);
    views_[i]->setMatrix({});
  }
  float most = 1e-6f;  // one scale for the three
  for (const auto& v : maps_.views)
    for (float c : v.cells) most = std::max(most, c);
  for (std::size_t i = 0; i < maps_.views.size() && i < 3; ++i) {
    const auto& v = maps_.views[i];
    Matrix m;
    m.rows = m.columns = int(maps_.rows);
    m.values.assign(v.cells.begin(), v.cells.end());
    m.row_title = "query", m.column_title = "key";
    m.high = double(most), m.root = true, m.square = true;
    views_[i]->setMatrix(std::move(m));
    titles_[i]->setText(text(v.name) + QString("   entropy %1 nats").arg(v.mean_entropy, 0, 'f', 3) +
                        (v.divergence.empty() ? QString() : QString(", divergence from the teacher %1 nats").arg(v.mean_divergence, 0, 'f', 3)));
    titles_[i]->setToolTip("Means over the prompt's tokens, nats");
  }
  pair_->setText(QString("%1 tokens, %2 shown%3. Colours follow the square root of the weight. Point at a cell for its tokens; choose one for its row.")
                     .arg(maps_.tokens)
                     .arg(maps_.last - maps_.first)
                     .arg(maps_.rows < maps_.last - maps_.first ? QString(" in %1 × %1 cells").arg(maps_.rows) : QString()));
}

QString MapsView::words(int view, int row, int column) const {
  if (view >= int(maps_.views.size()) || maps_.rows == 0) return {};
  const std::int64_t n = maps_.last - maps_.first;
  auto piece = [&](int cell) {
    const auto at = std::size_t(maps_.first + (cell * n + maps_.rows - 1) / maps_.rows);
    return QString("%1 “%2”").arg(at).arg(at < maps_.pieces.size() ? text(maps_.pieces[at]).simplified() : QString());
  };
  return QString("query %1 → key %2: %3").arg(piece(row), piece(column)).arg(double(maps_.views[std::size_t(view)].cells[std::size_t(row * maps_.rows + column)]), 0, 'f', 4);
}

/// The chosen cell in all three, and what its row says.
void MapsView::showRow(int row, int column) {
  QStringList parts;
  const std::int64_t n = maps_.last - maps_.first;
  const auto token = std::size_t(maps_.first + (row * n + maps_.rows - 1) / std::max<std::int64_t>(1, maps_.rows));
  for (std::size_t i = 0; i < maps_.views.size() && i < 3; ++i) {
    views_[i]->choose(row, column);
    const auto& v = maps_.views[i];
    parts << text(v.name) + QString(" %1, entropy %2").arg(double(v.cells[std::size_t(row * maps_.rows + column)]), 0, 'f', 4).arg(v.entropy[token], 0, 'f', 3) +
                 (v.divergence.empty() ? QString() : QString(", divergence %1").arg(v.divergence[token], 0, 'f', 3));
  }
  pair_->setText(words(0, row, column).section(": ", 0, 0) + ".  " + parts.join(";  "));
}

ExamplesView::ExamplesView(QWidget* parent)
    : DiagnosisView(parent), examples_(new CopyTable(newRows(this, partingColumns()), "Examples")), prompt_(new QTextBrowser),
      answers_(new CopyTable(newRows(this, {}), "Choices of the example")), continued_(noteLabel()),
      continuations_(new CopyTable(newRows(this, continuationColumns()), "Continuations")) {
  prompt_->setAccessibleName("Prompt, coloured by what linear attention adds");
  prompt_->setOpenLinks(false);
  auto* right = plainSplitter(Qt::Vertical);
  right->addWidget(prompt_);
  right->addWidget(answers_);
  auto* below = new QWidget;
  auto* column = new QVBoxLayout(below);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(continued_);
  column->addWidget(continuations_, 1);
  right->addWidget(below);
  right->setSizes({200, 130, 150});
  auto* split = plainSplitter(Qt::Horizontal);
  split->addWidget(examples_);
  split->addWidget(right);
  split->setSizes({320, 660});
  continuations_->setElasticColumn(1);
  auto* whole = new QVBoxLayout(this);
  whole->setContentsMargins(0, 0, 0, 0);
  whole->setSpacing(8);
  auto* note = noteLabel();
  note->setText("Examples that only one of hybrid and window has right. Blue: linear attention makes the token likelier, orange: less likely; the strongest by the most.");
  whole->addWidget(note);
  whole->addWidget(split, 1);
  connect(examples_, &CopyTable::rowChosen, this, &ExamplesView::showExample);
}

void ExamplesView::setDiagnosis(const engine::Diagnosis& d) {
  reports_ = d.examples;
  examples_->rows()->setRows(partingRows(reports_));
  examples_->fitColumns();
  continued_->setText(d.prompt.empty() ? QString() : "One prompt, gone on with: " + text(d.prompt).simplified() + " …");
  continuations_->rows()->setRows(continuationRows(d));
  continuations_->fitColumns();
  if (reports_.empty()) showExample(-1);
  else examples_->chooseRow(0);
}

void ExamplesView::showExample(int row) {
  if (row < 0 || row >= int(reports_.size())) {
    prompt_->setHtml("No example is right in only one of hybrid and window.");
    answers_->rows()->setRows({});
    return;
  }
  const auto& e = reports_[std::size_t(row)];
  const Scheme scheme = schemeOf(this);
  prompt_->setHtml(promptHtml(e, componentStyle("hybrid", scheme).color, componentStyle("swa", scheme).color));
  prompt_->moveCursor(QTextCursor::End);
  answers_->rows()->setColumns(answerColumns(e));
  answers_->rows()->setRows(answerRows(e));
  answers_->fitColumns();
}

void ExamplesView::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (changesLook(event) && examples_) showExample(examples_->currentRow());
}

}  // namespace ui
