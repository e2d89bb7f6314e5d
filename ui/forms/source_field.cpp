#include "ui/forms/source_field.h"

#include <QComboBox>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QSettings>
#include <QToolButton>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_recent = 10;

}  // namespace

SourceField::SourceField(const QString& label, const QString& key, const QStringList& fixed,
                         Kind kind, QSettings* settings, QWidget* parent)
    : QWidget(parent), key_("inspect/" + key), fixed_(fixed), kind_(kind), settings_(settings) {
  setAcceptDrops(true);
  auto* name = new QLabel(label);
  name->setProperty("role", "secondary");
  combo_ = new QComboBox;
  combo_->setEditable(true);
  combo_->setInsertPolicy(QComboBox::NoInsert);
  combo_->setAccessibleName(label);
  combo_->setToolTip(kind == Kind::folder
                         ? "Type or drop a folder, or choose a recent one; Return reads it"
                         : "Type or drop a file or a folder, or choose a recent one; Return reads it");
  combo_->lineEdit()->setPlaceholderText(kind == Kind::folder ? "a folder" : "a file or a folder");
  combo_->setMinimumContentsLength(10);
  combo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  combo_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  // The line would take a dropped folder as text.
  combo_->lineEdit()->setAcceptDrops(false);
  combo_->setAcceptDrops(false);
  name->setBuddy(combo_);
  auto* open = new QToolButton;
  open->setIcon(lineIcon("open"));
  open->setToolTip(kind == Kind::folder ? "Choose a folder…" : "Choose a file or a folder…");
  open->setAccessibleName(label + ": choose");
  if (kind == Kind::folder) {
    connect(open, &QToolButton::clicked, this, &SourceField::browse);
  } else {
    auto* menu = new QMenu(open);
    menu->addAction("A file…", this, [this] {
      const QString file = QFileDialog::getOpenFileName(this, "Choose a file", source());
      if (!file.isEmpty()) choose(file);
    });
    menu->addAction("A folder…", this, &SourceField::browse);
    open->setMenu(menu);
    open->setPopupMode(QToolButton::InstantPopup);
  }
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(6);
  row->addWidget(name);
  row->addWidget(combo_, 1);
  row->addWidget(open);
  connect(combo_, &QComboBox::activated, this, &SourceField::commit);
  connect(combo_->lineEdit(), &QLineEdit::returnPressed, this, [this] {
    told_.clear();  // Return reads again what is there already
    commit();
  });
  connect(combo_->lineEdit(), &QLineEdit::editingFinished, this, &SourceField::commit);
  fill();
  setSource(fixed.value(0));
}

QString SourceField::source() const { return combo_->currentText().trimmed(); }

void SourceField::setSource(const QString& source) {
  told_ = source.startsWith('/') ? QDir::cleanPath(source) : source;
  combo_->setCurrentText(told_);
}

void SourceField::choose(const QString& source) {
  setSource(source);
  Q_EMIT chosen(told_);
}

void SourceField::commit() {
  const QString text = source();
  if (text == told_) return;
  choose(text);
}

void SourceField::remember(const QString& source) {
  if (source.isEmpty() || fixed_.contains(source)) return;
  QStringList recent = settings_->value(key_).toStringList();
  recent.removeAll(source);
  recent.prepend(source);
  settings_->setValue(key_, QStringList(recent.mid(0, k_recent)));
  fill();
}

void SourceField::fill() {
  const QString text = combo_->currentText();
  const QSignalBlocker quiet(combo_);
  combo_->clear();
  combo_->addItems(fixed_);
  for (const QString& one : settings_->value(key_).toStringList())
    if (QFileInfo::exists(one)) combo_->addItem(one);
  combo_->setCurrentText(text);
}

void SourceField::browse() {
  const QString now = QFileInfo(source()).isDir() ? source() : QDir::homePath();
  const QString folder = QFileDialog::getExistingDirectory(this, "Choose a folder", now);
  if (!folder.isEmpty()) choose(folder);
}

void SourceField::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasUrls() && event->mimeData()->urls().front().isLocalFile())
    event->acceptProposedAction();
}

void SourceField::dropEvent(QDropEvent* event) {
  const QFileInfo file(event->mimeData()->urls().value(0).toLocalFile());
  if (!file.exists()) return;
  event->acceptProposedAction();
  choose(kind_ == Kind::folder && file.isFile() ? file.path() : file.filePath());
}

}  // namespace ui
