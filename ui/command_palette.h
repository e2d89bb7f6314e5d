#pragma once
/// Every action, run and preset by name (Ctrl+K). Words may come in any order.

#include <QDialog>
#include <functional>
#include <vector>

class QLineEdit;
class QListWidget;

namespace ui {

struct Command {
  QString text;
  QString hint;  ///< shortcut or kind, shown on the right
  std::function<void()> run;
  bool enabled = true;
};

class CommandPalette : public QDialog {
  Q_OBJECT

 public:
  CommandPalette(std::vector<Command> commands, QWidget* parent);
  void setFilter(const QString& text);
  int shown() const;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void choose();
  std::vector<Command> commands_;
  QLineEdit* line_;
  QListWidget* list_;
};

}  // namespace ui
