#include "ui/forms/experiment_chooser.h"

#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/experiments.h"
#include "ui/pages/page_parts.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_index = Qt::UserRole;

QTreeWidgetItem* firstChild(QTreeWidget* tree) {
  for (int i = 0; i < tree->topLevelItemCount(); ++i)
    for (int k = 0; k < tree->topLevelItem(i)->childCount(); ++k)
      if (!tree->topLevelItem(i)->child(k)->isHidden()) return tree->topLevelItem(i)->child(k);
  return nullptr;
}

}  // namespace

ExperimentChooser::ExperimentChooser(QWidget* parent) : QDialog(parent) {
  setObjectName("experiment chooser");
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle("Experiments of the paper");
  words_ = new QLineEdit;
  words_->setPlaceholderText("Filter, e.g. ssd embedded");
  words_->setAccessibleName("Filter experiments");
  words_->setClearButtonEnabled(true);
  tree_ = new QTreeWidget;
  tree_->setHeaderHidden(true);
  tree_->setAccessibleName("Experiments");
  tree_->setRootIsDecorated(false);
  tree_->setIndentation(16);
  QTreeWidgetItem* group = nullptr;
  for (std::size_t i = 0; i < experiments().size(); ++i) {
    const Experiment& e = experiments()[i];
    if (!group || group->text(0) != e.group) {
      group = new QTreeWidgetItem(tree_, {e.group});
      group->setFlags(Qt::ItemIsEnabled);
      group->setForeground(0, colorsOf(this).secondary);
      group->setFont(0, secondaryFont());
    }
    auto* item = new QTreeWidgetItem(group, {e.title});
    item->setData(0, k_index, int(i));
  }
  tree_->expandAll();
  title_ = partHeading({});
  title_->setWordWrap(true);
  about_ = new QLabel;
  about_->setWordWrap(true);
  about_->setTextFormat(Qt::PlainText);
  notes_ = noteLabel();
  auto* side = new QVBoxLayout;
  side->setSpacing(8);
  side->addWidget(title_);
  side->addWidget(about_);
  side->addWidget(notes_);
  side->addStretch();
  auto* left = new QVBoxLayout;
  left->setSpacing(8);
  left->addWidget(words_);
  left->addWidget(tree_, 1);
  auto* middle = new QHBoxLayout;
  middle->setSpacing(16);
  middle->addLayout(left, 3);
  middle->addLayout(side, 2);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
  open_ = buttons->addButton("Open in Compose", QDialogButtonBox::AcceptRole);
  open_->setProperty("role", "primary");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 16, 16, 16);
  layout->setSpacing(12);
  layout->addLayout(middle, 1);
  layout->addWidget(buttons);
  resize(760, 520);
  connect(words_, &QLineEdit::textChanged, this, &ExperimentChooser::filter);
  connect(tree_, &QTreeWidget::currentItemChanged, this, &ExperimentChooser::describe);
  connect(tree_, &QTreeWidget::itemActivated, this, &ExperimentChooser::pick);
  connect(buttons, &QDialogButtonBox::accepted, this, &ExperimentChooser::pick);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  tree_->setCurrentItem(firstChild(tree_));
  words_->setFocus();
}

int ExperimentChooser::shown() const {
  int n = 0;
  for (int i = 0; i < tree_->topLevelItemCount(); ++i)
    for (int k = 0; k < tree_->topLevelItem(i)->childCount(); ++k)
      n += tree_->topLevelItem(i)->child(k)->isHidden() ? 0 : 1;
  return n;
}

void ExperimentChooser::filter(const QString& text) {
  const QStringList words = text.split(' ', Qt::SkipEmptyParts);
  for (int i = 0; i < tree_->topLevelItemCount(); ++i) {
    QTreeWidgetItem* group = tree_->topLevelItem(i);
    bool any = false;
    for (int k = 0; k < group->childCount(); ++k) {
      QTreeWidgetItem* item = group->child(k);
      const Experiment& e = experiments()[std::size_t(item->data(0, k_index).toInt())];
      const QString all = e.group + ' ' + e.title + ' ' + e.about + ' ' + e.notes;
      const bool fits = std::all_of(words.begin(), words.end(), [&](const QString& w) {
        return all.contains(w, Qt::CaseInsensitive);
      });
      item->setHidden(!fits);
      any = any || fits;
    }
    group->setHidden(!any);
  }
  QTreeWidgetItem* now = tree_->currentItem();
  if (!now || now->isHidden()) tree_->setCurrentItem(firstChild(tree_));
}

void ExperimentChooser::describe(QTreeWidgetItem* item) {
  const bool one = item && item->data(0, k_index).isValid();
  open_->setEnabled(one);
  if (!one) return;
  const Experiment& e = experiments()[std::size_t(item->data(0, k_index).toInt())];
  title_->setText(e.group + ": " + e.title);
  about_->setText(e.about);
  notes_->setText(e.notes + (e.embedded
                                 ? ""
                                 : "\n\nNeeds the paper's model and data on this machine; Compose "
                                   "shows where the recipe looks for them."));
}

void ExperimentChooser::pick() {
  QTreeWidgetItem* item = tree_->currentItem();
  if (!item || item->isHidden() || !item->data(0, k_index).isValid()) return;
  Q_EMIT picked(experiments()[std::size_t(item->data(0, k_index).toInt())].id);
  accept();
}

}  // namespace ui
