#include "ui/run_panel.h"

#include <QElapsedTimer>
#include <QInputDialog>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QToolButton>
#include <QUndoStack>
#include <QVBoxLayout>

#include "engine/tags.h"
#include "ui/forms/run_notes.h"
#include "ui/models/run_list_model.h"
#include "ui/run_delegate.h"
#include "ui/theme.h"

namespace ui {

RunPanel::RunPanel(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent),
      bridge_(bridge),
      model_(new RunListModel(this)),
      trashed_(new RunListModel(this)),
      undo_(new QUndoStack(this)),
      filter_(new RunFilter(this)) {
  trashed_->setTickable(false);
  filter_->setSourceModel(model_);
  words_ = new QLineEdit;
  words_->setPlaceholderText("Filter runs…");
  words_->setToolTip(
      "Words in name, tags, notes, state or settings; -word must not occur. Or an expression over "
      "settings and results:\nwindow == 64 && delta_h_swa > 1\nstate = done and not (lolcats or "
      "name ~ hedge)\ntag = star");
  problem_ = new QLabel;
  problem_->setProperty("role", "problem");
  problem_->setWordWrap(true);
  useFont(problem_, TextRole::secondary);
  problem_->hide();
  group_menu_ = new QMenu(this);
  group_ = new QToolButton;
  group_->setIcon(lineIcon("group"));
  group_->setToolTip("Group the runs");
  group_->setAccessibleName("Group the runs");
  group_->setPopupMode(QToolButton::InstantPopup);
  group_->setMenu(group_menu_);
  connect(group_menu_, &QMenu::aboutToShow, this, &RunPanel::fillGroupMenu);
  words_->setClearButtonEnabled(true);
  words_->setAccessibleName("Filter runs");
  view_ = new QListView;
  view_->setProperty("role", "plain");
  view_->setModel(filter_);
  view_->setItemDelegate(new RunDelegate(view_));
  view_->setMouseTracking(true);
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->installEventFilter(this);
  view_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  view_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  view_->setContextMenuPolicy(Qt::CustomContextMenu);
  view_->setAccessibleName("Runs");
  view_->setWhatsThis(
      "Choose a run to see it. Tick runs (Space) to compare them. Delete moves the selected ones to "
      "the trash, from where they can be restored.");
  view_->setTabKeyNavigation(false);
  empty_ = new QLabel;
  empty_->setProperty("role", "secondary");
  empty_->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
  empty_->setWordWrap(true);
  empty_->setContentsMargins(16, 24, 16, 0);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(8);
  auto* top = new QVBoxLayout;
  top->setContentsMargins(12, 4, 12, 0);
  top->setSpacing(4);
  auto* line = new QHBoxLayout;
  line->setSpacing(4);
  line->addWidget(words_, 1);
  line->addWidget(buildStarButton());
  line->addWidget(group_);
  top->addLayout(line);
  top->addWidget(problem_);
  layout->addLayout(top);
  layout->addWidget(empty_, 1);
  layout->addWidget(view_, 1);
  layout->addWidget(buildFooter());
  setMinimumWidth(180);

  connect(words_, &QLineEdit::textChanged, this, &RunPanel::applyFilter);
  connect(view_->selectionModel(), &QItemSelectionModel::currentChanged, this,
          [this](const QModelIndex& now) {
            if (now.isValid() && !shows_trash_) Q_EMIT chosen(now.data(RunListModel::IdRole).toLongLong());
          });
  connect(view_, &QListView::clicked, this, [this](const QModelIndex& at) {
    if (!shows_trash_) Q_EMIT chosen(at.data(RunListModel::IdRole).toLongLong());
  });
  connect(view_, &QListView::customContextMenuRequested, this, &RunPanel::showMenu);
  connect(model_, &RunListModel::chosenChanged, this, &RunPanel::ticked);
  // Later: the row may leave the list, which the view that is at work on it would not survive.
  connect(model_, &RunListModel::starAsked, this, &RunPanel::star, Qt::QueuedConnection);
  connect(bridge_, &EngineBridge::runsChanged, this, &RunPanel::refresh);
  connect(bridge_, &EngineBridge::runUpdated, this, [this](qint64 id) {
    if (const RunData* shown = bridge_->data(id)) model_->setResults(*shown);
  });
  connect(filter_, &QAbstractItemModel::rowsInserted, this, &RunPanel::refreshEmpty);
  connect(filter_, &QAbstractItemModel::rowsRemoved, this, &RunPanel::refreshEmpty);
  reading_.setSingleShot(true);
  connect(&reading_, &QTimer::timeout, this, &RunPanel::readResults);
  refresh();
}

/// Its last words would reach a panel that is half gone.
RunPanel::~RunPanel() { undo_->disconnect(); }

void RunPanel::applyFilter() {
  filter_->setWords(words_->text());
  problem_->setText(filter_->problem().isEmpty() ? QString()
                                                 : "Filter: " + filter_->problem() + ".");
  problem_->setVisible(!filter_->problem().isEmpty());
  refreshEmpty();
  view_->doItemsLayout();
}

QString RunPanel::filterText() const { return words_->text(); }
void RunPanel::setFilterText(const QString& text) { words_->setText(text); }
QString RunPanel::grouping() const { return model_->grouping(); }

void RunPanel::groupBy(const QString& key) {
  model_->setGrouping(key);
  trashed_->setGrouping(key);
  filter_->regroup();
  view_->doItemsLayout();
}

void RunPanel::fillGroupMenu() {
  group_menu_->clear();
  auto add = [this](QMenu* menu, const QString& text, const QString& key) {
    QAction* action = menu->addAction(text, this, [this, key] { groupBy(key); });
    action->setCheckable(true);
    action->setChecked(model_->grouping() == key);
  };
  add(group_menu_, "No groups", "");
  add(group_menu_, "By setting, seeds together", "setting");
  add(group_menu_, "By state", "state");
  add(group_menu_, "By sweep", "sweep");
  add(group_menu_, "By tags", "tags");
  add(group_menu_, "By device", "device");
  const QStringList keys = model_->differingSettings();
  if (keys.isEmpty()) return;
  QMenu* other = group_menu_->addMenu("By a value in the recipe");
  for (const QString& key : keys) add(other, key, key);
}

void RunPanel::refresh() {
  model_->setRuns(bridge_->runs());
  trashed_->setRuns(bridge_->trash());
  refreshEmpty();
  refreshFooter();
  readResults();
}

/// Results of older runs are read for a few milliseconds a turn of the event loop, so that a long
/// list does not hold up the window.
void RunPanel::readResults() {
  constexpr int k_turn_ms = 8;
  RunListModel* list = shown();
  QElapsedTimer clock;
  clock.start();
  for (int i = 0; i < list->rowCount(); ++i) {
    const QModelIndex at = list->index(i);
    if (!at.data(RunListModel::ResultRole).toString().isEmpty() ||
        at.data(RunListModel::ReadRole).toBool())
      continue;
    if (engine::RunState(at.data(RunListModel::StateRole).toInt()) == engine::RunState::queued)
      continue;
    if (unreadable_.contains(list->idAt(i))) continue;
    if (clock.elapsed() >= k_turn_ms) {
      reading_.start(0);
      return;
    }
    if (const RunData* known = bridge_->data(list->idAt(i)))
      list->setResults(*known);
    else
      unreadable_.insert(list->idAt(i));
  }
}

engine::RunId RunPanel::currentRun() const {
  const QModelIndex at = view_->currentIndex();
  return at.isValid() ? at.data(RunListModel::IdRole).toLongLong() : 0;
}

void RunPanel::select(engine::RunId id) {
  showTrash(false);
  const QModelIndex at = filter_->mapFromSource(model_->indexOf(id));
  if (at.isValid()) view_->setCurrentIndex(at);
}

void RunPanel::focusFilter() {
  words_->setFocus();
  words_->selectAll();
}

void RunPanel::renameCurrent() {
  const engine::RunInfo* info = bridge_->run(currentRun());
  if (!info) return;
  bool ok = false;
  const QString name = QInputDialog::getText(this, "Rename run", "Name", QLineEdit::Normal,
                                             QString::fromStdString(info->name), &ok);
  if (ok && !name.trimmed().isEmpty())
    bridge_->annotate(info->id, name.trimmed(), QString::fromStdString(info->tags),
                      QString::fromStdString(info->notes));
}

void RunPanel::tagCurrent() {
  const engine::RunInfo* info = bridge_->run(currentRun());
  if (!info) return;
  bool ok = false;
  const QString tags =
      QInputDialog::getText(this, "Tags", "Tags, with commas between", QLineEdit::Normal,
                            QString::fromStdString(info->tags), &ok);
  if (ok)
    bridge_->annotate(info->id, QString::fromStdString(info->name), tags,
                      QString::fromStdString(info->notes));
}

void RunPanel::editCurrent() {
  const engine::RunInfo* info = bridge_->run(currentRun());
  if (!info) return;
  auto* dialog = new RunNotes(*info, bridge_->readOnly(), this);
  connect(dialog, &RunNotes::saved, bridge_, &EngineBridge::annotate);
  dialog->show();
}

void RunPanel::showMenu(const QPoint& at) {
  if (shows_trash_) return showTrashMenu(at);
  const engine::RunInfo* info = bridge_->run(currentRun());
  if (!info) return;
  QMenu menu(this);
  const bool active =
      info->state == engine::RunState::running || info->state == engine::RunState::queued;
  const engine::RunId id = info->id;
  QAction* stop = menu.addAction(lineIcon("stop"), "Stop", this, [this, id] { bridge_->stop(id); });
  stop->setEnabled(active && bridge_->isOurs(id));
  QAction* resume =
      menu.addAction(lineIcon("resume"), "Resume", this, [this, id] { bridge_->resume(id); });
  resume->setEnabled(!active && info->state != engine::RunState::done && !bridge_->readOnly());
  menu.addSeparator();
  menu.addAction(lineIcon("edit"), "Rename…", this, &RunPanel::renameCurrent)
      ->setEnabled(!bridge_->readOnly());
  menu.addAction("Tags…", this, &RunPanel::tagCurrent)->setEnabled(!bridge_->readOnly());
  menu.addAction("Name, tags and notes…", this, &RunPanel::editCurrent);
  menu.addSeparator();
  const auto count = selectedRuns().size();
  menu.addAction(lineIcon("star"), allSelected(engine::k_star_tag) ? "Take the star away" : "Star", this,
                 &RunPanel::starSelected)
      ->setEnabled(!bridge_->readOnly());
  menu.addAction(lineIcon("archive"), allSelected(engine::k_archived_tag) ? "Unarchive" : "Archive", this,
                 &RunPanel::archiveSelected)
      ->setEnabled(!bridge_->readOnly());
  menu.addAction(lineIcon("trash"), count > 1 ? QString("Delete %1 runs").arg(count) : "Delete", this,
                 &RunPanel::deleteSelected)
      ->setEnabled(!bridge_->readOnly());
  menu.exec(view_->viewport()->mapToGlobal(at));
}

}  // namespace ui
