#include "ui/forms/run_notes.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme.h"

namespace ui {

RunNotes::RunNotes(const engine::RunInfo& info, bool read_only, QWidget* parent)
    : QDialog(parent), name_(new QLineEdit), tags_(new QLineEdit), notes_(new QPlainTextEdit) {
  setObjectName("run notes");
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(QString("Run %1").arg(info.id));
  name_->setText(QString::fromStdString(info.name));
  name_->setAccessibleName("Name");
  tags_->setText(QString::fromStdString(info.tags));
  tags_->setPlaceholderText("words with commas between");
  tags_->setAccessibleName("Tags");
  notes_->setPlainText(QString::fromStdString(info.notes));
  notes_->setPlaceholderText(
      "What is this run to show? What did it show?\nA line like @168 loss jumps is drawn on the curves at "
      "that step.");
  notes_->setAccessibleName("Notes");
  notes_->setTabChangesFocus(true);
  for (QLineEdit* line : {name_, tags_}) line->setReadOnly(read_only);
  notes_->setReadOnly(read_only);
  auto* form = new QFormLayout;
  form->setHorizontalSpacing(12);
  form->setVerticalSpacing(8);
  form->addRow("Name", name_);
  form->addRow("Tags", tags_);
  form->addRow("Notes", notes_);
  auto* buttons = new QDialogButtonBox(
      read_only ? QDialogButtonBox::Close : QDialogButtonBox::Save | QDialogButtonBox::Cancel);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 16, 16, 16);
  layout->setSpacing(12);
  layout->addLayout(form, 1);
  layout->addWidget(buttons);
  resize(460, 340);
  if (QPushButton* save = buttons->button(QDialogButtonBox::Save)) {
    save->setShortcut(QKeySequence("Ctrl+Return"));
    auto allow = [this, save] { save->setEnabled(!name_->text().trimmed().isEmpty()); };
    connect(name_, &QLineEdit::textChanged, save, allow);
    allow();
  }
  const engine::RunId id = info.id;
  connect(buttons, &QDialogButtonBox::accepted, this, [this, id] {
    Q_EMIT saved(id, name_->text().trimmed(), tags_->text().trimmed(), notes_->toPlainText());
    accept();
  });
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  notes_->setFocus();
}

}  // namespace ui
