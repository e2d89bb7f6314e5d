#pragma once
/// Name, tags and notes of a run in one small dialog; nothing is changed before Save.

#include <QDialog>

#include "engine/run_store.h"

class QLineEdit;
class QPlainTextEdit;

namespace ui {

class RunNotes : public QDialog {
  Q_OBJECT

 public:
  RunNotes(const engine::RunInfo& info, bool read_only, QWidget* parent = nullptr);

 Q_SIGNALS:
  void saved(qint64 run, const QString& name, const QString& tags, const QString& notes);

 private:
  QLineEdit* name_;
  QLineEdit* tags_;
  QPlainTextEdit* notes_;
};

}  // namespace ui
