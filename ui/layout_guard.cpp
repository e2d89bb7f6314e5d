#include "ui/layout_guard.h"

#include <QCryptographicHash>
#include <QGuiApplication>
#include <QScreen>

namespace ui {
namespace {

constexpr char k_version[] = "equipoise-layout-1-" QT_VERSION_STR;

QByteArray digest(const QByteArray& bytes) {
  return QCryptographicHash::hash(QByteArray(k_version) + bytes, QCryptographicHash::Sha256);
}

}  // namespace

QByteArray LayoutGuard::sealed(const QByteArray& bytes) { return digest(bytes) + bytes; }

QByteArray LayoutGuard::opened(const QByteArray& bytes) {
  const qsizetype head = QCryptographicHash::hashLength(QCryptographicHash::Sha256);
  if (bytes.size() <= head) return {};
  const QByteArray body = bytes.mid(head);
  return bytes.left(head) == digest(body) ? body : QByteArray();
}

void LayoutGuard::save(const QMainWindow& window) {
  settings_.setValue("layout/state", sealed(window.saveState()));
  settings_.setValue("layout/geometry", sealed(window.saveGeometry()));
}

void LayoutGuard::forget() { settings_.remove("layout"); }

bool LayoutGuard::restore(QMainWindow& window) {
  if (settings_.value("layout/restoring", false).toBool()) {
    forget();
    return false;
  }
  const QByteArray state = opened(settings_.value("layout/state").toByteArray());
  const QByteArray geometry = opened(settings_.value("layout/geometry").toByteArray());
  if (state.isEmpty() || geometry.isEmpty()) return false;
  settings_.setValue("layout/restoring", true);
  settings_.sync();
  const bool done = window.restoreGeometry(geometry) && window.restoreState(state);
  settings_.remove("layout/restoring");
  const QScreen* screen = QGuiApplication::screenAt(window.geometry().center());
  if (!screen) window.move(0, 0);
  return done;
}

}  // namespace ui
