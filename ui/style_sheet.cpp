#include "ui/style_sheet.h"

#include <cmath>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr auto k_sheet = R"(
QWidget[role="page"], QWidget[role="canvas"] { background: @window; }
QWidget[role="inset"] { background: @panel; }
QFrame[role="card"] { background: @panel; border: 1px solid @line; border-radius: 4px; }
QFrame[role="banner"] { background: @panel; border: 1px solid @warning; border-radius: 4px; }
QFrame[role="banner"][level="error"] { border-color: @error; }
QFrame[role="banner"][level="busy"] { border-color: @line; }
QLabel[role="secondary"] { color: @secondary; }
QLabel[role="problem"] { color: @error; }
QLabel[role="good"] { color: @good; }
QLabel[role="warning"] { color: @warning; }
QLabel[role="chip"] { border: 1px solid @line; border-radius: 4px; padding: 1px 6px; color: @secondary; }
QLabel[role="chip"][level="good"] { color: @good; }
QLabel[role="chip"][level="error"] { color: @error; border-color: @error; }

QPushButton, QToolButton { background: @panel; color: @text; border: 1px solid @line; border-radius: 4px;
  padding: 0px 12px; min-height: @26px; }
QToolButton { padding: 0px 5px; min-width: @16px; }
QPushButton:hover, QToolButton:hover { border-color: @secondary; }
QPushButton:pressed, QToolButton:pressed, QToolButton:checked, QPushButton:checked { background: @pressed; }
QPushButton:focus, QToolButton:focus { border-color: @accent; }
QPushButton:disabled, QToolButton:disabled { color: @disabled; background: @window; }
QPushButton[role="primary"] { background: @accent; color: @on_accent; border-color: @accent; font-weight: 600;
  padding: 0px 20px; }
QPushButton[role="primary"]:hover { background: @accent_hover; }
QPushButton[role="primary"]:focus { border-color: @text; }
QPushButton[role="primary"]:disabled { background: @line; color: @secondary; border-color: @line; }
QPushButton[role="link"] { background: transparent; border: none; color: @accent; padding: 0px; text-align: left;
  min-height: @20px; }
QPushButton[role="link"]:focus, QPushButton[role="link"]:hover { text-decoration: underline; }
QPushButton[role="segment"] { border-radius: 0px; border: none; border-bottom: 2px solid transparent;
  background: transparent; color: @secondary; padding: 0px 4px; margin-right: 12px; }
QPushButton[role="segment"]:checked { color: @text; border-bottom-color: @accent; }
QPushButton[role="segment"]:hover, QPushButton[role="segment"]:focus { color: @accent; }
QToolButton[role="flat"] { background: transparent; border: 1px solid transparent; min-height: @20px; padding: 0px 2px; }
QToolButton[role="flat"]:hover { background: @pressed; }
QToolButton[role="flat"]:focus { border-color: @accent; }
QToolButton::menu-indicator { image: none; width: 0px; }
QPushButton::menu-indicator { image: url(:/icons/chevron-down-grey.svg); width: 12px; height: 12px;
  subcontrol-origin: padding; subcontrol-position: center right; right: 8px; }
QPushButton[role="menu"] { padding-right: 26px; }

QLineEdit, QComboBox, QPlainTextEdit, QTextEdit { background: @panel; color: @text; border: 1px solid @line;
  border-radius: 4px; selection-background-color: @accent; selection-color: @on_accent; }
QLineEdit { min-height: @24px; padding: 1px 4px; }
QComboBox { min-height: @24px; padding: 1px 0px 1px 6px; }
QComboBox:editable { padding: 1px 0px 1px 2px; }
QComboBox QLineEdit, QFrame[role="card"] QComboBox QLineEdit { border: none; background: transparent; min-height: 0px; padding: 0px 2px; }
QFrame[role="card"] QLineEdit, QFrame[role="card"] QComboBox { background: @field; }
QLineEdit:hover, QComboBox:hover { border-color: @secondary; }
QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus { border-color: @accent; }
QLineEdit:disabled, QComboBox:disabled { color: @disabled; }
QLineEdit[problem="true"], QComboBox[problem="true"] { border-color: @error; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url(:/icons/chevron-down-grey.svg); width: 12px; height: 12px; }
QSpinBox { background: @panel; color: @text; border: 1px solid @line; border-radius: 4px; min-height: @24px; padding: 1px 2px 1px 6px;
  selection-background-color: @accent; selection-color: @on_accent; }
QSpinBox:hover { border-color: @secondary; }
QSpinBox:focus { border-color: @accent; }
QSpinBox:disabled { color: @disabled; }
QFrame[role="card"] QSpinBox { background: @field; }
QFrame[role="card"] QSpinBox QLineEdit { border: none; background: transparent; min-height: 0px; padding: 0px; }
QSpinBox QLineEdit { border: none; background: transparent; min-height: 0px; padding: 0px; }
QSpinBox::up-button, QSpinBox::down-button { border: none; background: transparent; width: 16px; }
QSpinBox::up-arrow { image: url(:/icons/chevron-up-grey.svg); width: 10px; height: 10px; }
QSpinBox::down-arrow { image: url(:/icons/chevron-down-grey.svg); width: 10px; height: 10px; }
QPlainTextEdit[role="plain"] { border: none; border-radius: 0px; }
QComboBox QAbstractItemView { background: @panel; color: @text; border: 1px solid @line; outline: 0px;
  selection-background-color: @selection; selection-color: @text; padding: 2px; }
QComboBox QAbstractItemView::item { min-height: @24px; padding: 0px 6px; }

QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabWidget::tab-bar { left: 12px; }
QTabBar { background: @window; }
QTabBar::tab { background: transparent; color: @secondary; border: none; border-bottom: 2px solid transparent;
  padding: 7px 6px 6px 6px; margin: 0px 8px; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:focus { color: @accent; }

QHeaderView { background: @panel; border: none; }
QHeaderView::section { background: @panel; color: @secondary; border: none; border-bottom: 1px solid @line;
  padding: 5px 11px; font-weight: 400; }
QTableView, QListView, QTreeView { background: @panel; color: @text; border: 1px solid @line; border-radius: 4px;
  outline: 0px; gridline-color: @grid; selection-background-color: @selection; selection-color: @text; }
QTableView:focus, QListView:focus { border-color: @accent; }
QTableView::item { border: none; padding: 0px 8px; }
QTableCornerButton::section { background: @panel; border: none; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QListView[role="plain"] { border: none; background: transparent; }

QDockWidget { color: @secondary; titlebar-close-icon: url(:/icons/close-grey.svg); }
QDockWidget::close-button { border: none; background: transparent; padding: 0px; icon-size: 12px; }
QDockWidget::close-button:hover { background: @pressed; border-radius: 3px; }
QDockWidget::title { background: @window; padding: 6px 12px; text-align: left; }
QMainWindow::separator { background: @line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: @accent; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: @line; }
QMenuBar { background: @window; color: @text; border-bottom: 1px solid @line; }
QMenuBar::item { padding: 4px 9px; background: transparent; }
QMenuBar::item:selected { background: @pressed; }
QMenu { background: @panel; color: @text; border: 1px solid @line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: 3px; }
QMenu::item:selected { background: @selection; }
QMenu::item:disabled { color: @disabled; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QStatusBar { background: @window; color: @secondary; border-top: 1px solid @line; }
QStatusBar::item { border: none; }
QStatusBar QLabel { color: @secondary; padding: 0px 8px; }
QPushButton[role="quiet"] { background: transparent; border: none; color: @secondary; padding: 0px 8px; min-height: @20px; }
QPushButton[role="quiet"]:hover, QPushButton[role="quiet"]:focus { color: @accent; }
QPushButton[role="quiet"]:checked { color: @text; background: transparent; }
QPushButton[role="warning"] { background: transparent; border: none; color: @warning; padding: 0px; text-align: left; min-height: @20px; }
QPushButton[role="warning"][level="error"] { color: @error; }
QPushButton[role="warning"]:hover, QPushButton[role="warning"]:focus { text-decoration: underline; }
QToolTip { background: @panel; color: @text; border: 1px solid @line; padding: 6px; }
QProgressBar { background: @line; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QScrollArea, QScrollArea > QWidget > QWidget[role="page"] { border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0px; }
QScrollBar::handle { background: @scroll; border-radius: 3px; margin: 2px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: @secondary; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QCheckBox { spacing: 6px; min-height: @26px; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid @secondary; border-radius: 3px; background: @field; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(:/icons/check-@variant.svg); }
QCheckBox::indicator:focus { border-color: @accent; }
)";

}  // namespace

QString styleSheet(const Colors& c, double zoom) {
  QString sheet = QString::fromLatin1(k_sheet);
  const bool dark = c.window.lightness() < 128;
  // Longer names first: @on_accent must not be eaten by a shorter one.
  const std::initializer_list<std::pair<const char*, QString>> words = {
      {"@accent_hover", mix(c.accent, c.text, 0.15).name()},
      {"@on_accent", c.on_accent.name()},
      {"@selection", mix(c.panel, c.accent, dark ? 0.28 : 0.16).name()},
      {"@secondary", c.secondary.name()},
      {"@disabled", mix(c.secondary, c.window, 0.35).name()},
      {"@pressed", mix(c.window, c.line, 0.6).name()},
      {"@warning", c.warning.name()},
      {"@variant", dark ? "dark" : "light"},
      {"@window", c.window.name()},
      {"@accent", c.accent.name()},
      {"@scroll", mix(c.line, c.secondary, 0.2).name()},
      {"@panel", c.panel.name()},
      {"@field", mix(c.panel, c.window, 0.5).name()},
      {"@error", c.error.name()},
      {"@line", c.line.name()},
      {"@good", c.good.name()},
      {"@grid", mix(c.panel, c.line, 0.6).name()},
      {"@text", c.text.name()},
  };
  for (const auto& [word, value] : words) sheet.replace(QLatin1String(word), value);
  for (int px : {26, 24, 20, 16})
    sheet.replace(QString("@%1px").arg(px),
                  QString("%1px").arg(static_cast<int>(std::lround(px * zoom))));
  return sheet;
}

}  // namespace ui
