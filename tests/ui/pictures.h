#pragma once
/// Where tests put the pictures that a person looks at.

#include <QDir>
#include <QString>
#include <QTest>

#include "ui/main_window.h"

namespace test {

/// screenshots/ in the build folder, made where it is missing; scale-2/ below it where everything
/// is drawn at twice the size.
inline QString pictures(const QString& below = {}) {
  const QString scale = qEnvironmentVariable("QT_SCALE_FACTOR");
  const QString folder = QString(EQUIPOISE_BINARY_DIR) + "/screenshots" +
                         (below.isEmpty() ? "" : "/" + below) +
                         (scale.isEmpty() ? "" : "/scale-" + scale);
  QDir().mkpath(folder);
  return folder;
}

/// A dialog of the window, light and dark.
inline bool pictured(ui::MainWindow& window, QWidget* dialog, const QString& name) {
  bool done = true;
  for (auto [scheme, tail] : {std::pair(ui::Scheme::dark, "-dark.png"), std::pair(ui::Scheme::light, "-light.png")}) {
    window.setScheme(scheme);
    QTest::qWait(20);  // what follows the look later
    done = dialog->grab().save(pictures() + "/" + name + tail) && done;
  }
  return done;
}

}  // namespace test
