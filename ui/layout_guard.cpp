#include "ui/layout_guard.h"

#include <QCryptographicHash>
#include <QGuiApplication>
#include <QScreen>

namespace ui {
namespace {

constexpr char k_named[] = "layouts";
constexpr char k_version[] = "equipoise-layout-1-" QT_VERSION_STR;

QByteArray digest(const QByteArray& bytes) {
  return QCryptographicHash::hash(QByteArray(k_version) + bytes, QCryptographicHash::Sha256);
}

/// Names may hold what a settings key may not.
QString groupOf(const QString& name) {
  if (name.isEmpty()) return "layout";
  return QString(k_named) + "/" + QString::fromLatin1(name.toUtf8().toHex());
}

}  // namespace

QByteArray LayoutGuard::sealed(const QByteArray& bytes) { return digest(bytes) + bytes; }

QByteArray LayoutGuard::opened(const QByteArray& bytes) {
  const qsizetype head = QCryptographicHash::hashLength(QCryptographicHash::Sha256);
  if (bytes.size() <= head) return {};
  const QByteArray body = bytes.mid(head);
  return bytes.left(head) == digest(body) ? body : QByteArray();
}

void LayoutGuard::save(const QMainWindow& window, const QString& name) {
  settings_.setValue(groupOf(name) + "/state", sealed(window.saveState()));
  settings_.setValue(groupOf(name) + "/geometry", sealed(window.saveGeometry()));
}

void LayoutGuard::forget(const QString& name) { settings_.remove(groupOf(name)); }

QStringList LayoutGuard::names() const {
  settings_.beginGroup(k_named);
  QStringList out;
  for (const QString& key : settings_.childGroups())
    out << QString::fromUtf8(QByteArray::fromHex(key.toLatin1()));
  settings_.endGroup();
  out.sort(Qt::CaseInsensitive);
  return out;
}

bool LayoutGuard::restore(QMainWindow& window, const QString& name) {
  const QString group = groupOf(name);
  if (settings_.value(group + "/restoring", false).toBool()) {
    forget(name);
    return false;
  }
  const QByteArray state = opened(settings_.value(group + "/state").toByteArray());
  const QByteArray geometry = opened(settings_.value(group + "/geometry").toByteArray());
  if (state.isEmpty() || geometry.isEmpty()) return false;
  settings_.setValue(group + "/restoring", true);
  settings_.sync();
  const bool done = window.restoreGeometry(geometry) && window.restoreState(state);
  settings_.remove(group + "/restoring");
  const QScreen* screen = QGuiApplication::screenAt(window.geometry().center());
  if (!screen) window.move(0, 0);
  return done;
}

}  // namespace ui
