#pragma once

#include <QSaveFile>
#include <QString>
#include <string>

namespace ui {

/// Whole or not at all; false where the file cannot be written.
inline bool writeWhole(const QString& file, const std::string& content) {
  QSaveFile out(file);
  const auto size = qint64(content.size());
  return out.open(QIODevice::WriteOnly) && out.write(content.data(), size) == size && out.commit();
}

}  // namespace ui
