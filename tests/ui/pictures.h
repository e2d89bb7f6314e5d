#pragma once
/// Where tests put the pictures that a person looks at.

#include <QDir>
#include <QString>

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

}  // namespace test
