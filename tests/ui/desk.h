#pragma once
/// A window on a store of its own, with a scripted engine; and what tests of the window ask again
/// and again.

#include <QAbstractButton>
#include <QComboBox>
#include <QSettings>
#include <QTest>

#include "execute_for_test.h"
#include "tests/support/temp_dir.h"
#include "ui/main_window.h"
#include "ui/pages/compose_page.h"

namespace test {

struct Desk {
  support::TempDir folder;
  engine::Paths paths{folder / "project.db", folder / "runs", folder / "log.txt", folder / "cache"};
  QString settings = QString::fromStdString((folder / "settings.ini").string());

  std::unique_ptr<ui::MainWindow> open(engine::Execute execute = test::execute()) {
    std::filesystem::create_directories(paths.checkpoints);
    std::filesystem::create_directories(paths.cache);
    auto bridge = std::make_unique<ui::EngineBridge>(
        std::make_unique<engine::Session>(paths, std::move(execute)), paths.store);
    auto window = std::make_unique<ui::MainWindow>(
        std::move(bridge), std::make_unique<QSettings>(settings, QSettings::IniFormat));
    window->show();
    return window;
  }
};

/// Controls that take the focus and that a screen reader could not name.
inline QStringList nameless(QWidget* root) {
  QStringList out;
  for (QWidget* w : root->findChildren<QWidget*>()) {
    if (w->focusPolicy() == Qt::NoFocus || w->inherits("QLabel"))
      continue;  // a label's text is its name
    QString text = w->accessibleName();
    if (auto* button = qobject_cast<QAbstractButton*>(w))
      text += button->text() + button->toolTip();
    const bool inner =
        w->objectName().startsWith("qt_") || w->inherits("QMenu") || w->inherits("QScrollBar") ||
        w->inherits("QTabBar") || w->inherits("QHeaderView") || w->inherits("QMenuBar") ||
        qobject_cast<QComboBox*>(w->parentWidget()) || w->inherits("QComboBoxPrivateContainer") ||
        (w->parentWidget() && w->parentWidget()->inherits("QComboBoxPrivateContainer")) ||
        w->inherits("QTabWidget");
    if (text.trimmed().isEmpty() && !inner)
      out << QString("%1 '%2'").arg(w->metaObject()->className(), w->objectName());
  }
  return out;
}

/// Starts the preset and waits until it has taken a few steps.
inline engine::RunId startRun(ui::MainWindow& window, const QString& preset) {
  window.composePage()->choosePreset(preset);
  window.composePage()->submit();
  if (!QTest::qWaitFor([&] { return window.bridge()->current().has_value(); }, 20000)) return 0;
  const engine::RunId id = *window.bridge()->current();
  const auto going = [&] { return window.bridge()->data(id)->info.steps > 3; };
  return QTest::qWaitFor(going, 60000) ? id : 0;
}

/// A recipe of a few steps, for tests that need a run's end.
inline engine::Recipe shortRecipe(const std::string& name) {
  engine::Recipe recipe = engine::presets().front().recipe;
  recipe.name = name;
  recipe.data.tokens_per_epoch = 1;
  recipe.evaluation.every = 2;
  for (auto& stage : recipe.stages) {
    stage.tokens_per_epoch = 0;
    stage.epochs = 2;
  }
  return recipe;
}

inline engine::RunId finishedRun(ui::MainWindow& window, const engine::Recipe& recipe) {
  const auto id = window.bridge()->submit(recipe);
  if (!id) return 0;
  const auto done = [&] {
    return window.bridge()->data(*id)->info.state == engine::RunState::done;
  };
  return QTest::qWaitFor(done, 60000) ? *id : 0;
}

}  // namespace test
