#pragma once
/// Window layout kept between starts. QMainWindow::restoreState can crash on damaged bytes, so
/// bytes are only handed to it with a right checksum and version, and not at all when the last
/// restore did not come back.

#include <QByteArray>
#include <QMainWindow>
#include <QSettings>
#include <QStringList>

namespace ui {

class LayoutGuard {
 public:
  explicit LayoutGuard(QSettings& settings) : settings_(settings) {}
  /// Without a name: the layout that the next start takes up again.
  void save(const QMainWindow& window, const QString& name = {});
  /// False: nothing usable was kept, the window is as it was.
  bool restore(QMainWindow& window, const QString& name = {});
  void forget(const QString& name = {});
  QStringList names() const;
  static QByteArray sealed(const QByteArray& bytes);
  static QByteArray opened(const QByteArray& bytes);  ///< empty where damaged or of another version

 private:
  QSettings& settings_;
};

}  // namespace ui
