#include <QApplication>
#include <QCloseEvent>
#include <QMessageBox>
#include <QPushButton>
#include <algorithm>

#include "ui/layout_guard.h"
#include "ui/main_window.h"

namespace ui {

void MainWindow::restore() {
  LayoutGuard(*settings_).restore(*this);
  scheme_ = settings_->value("theme").toString() == "dark" ? Scheme::dark : Scheme::light;
  const double zoom = settings_->value("zoom", 1.0).toDouble();
  zoom_ = zoom >= 0.8 && zoom <= 2 ? zoom : 1;
  applyTheme(scheme_, zoom_);
}

void MainWindow::remember() {
  LayoutGuard(*settings_).save(*this);
  rememberSession();
  settings_->setValue("theme", scheme_ == Scheme::dark ? "dark" : "light");
  settings_->setValue("zoom", zoom_);
  settings_->sync();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  // Runs that only wait are in the queue again at the next start.
  const bool waits = !bridge_->current() && bridge_->queueHeld();
  if (bridge_->readOnly() || bridge_->idle() || waits) {
    remember();
    event->accept();
    return;
  }
  event->ignore();
  if (!closing_) askBeforeClosing();
}

void MainWindow::askBeforeClosing() {
  auto* box = new QMessageBox(QMessageBox::NoIcon, "A run is training",
                              "A run is training in this window.", QMessageBox::NoButton, this);
  box->setObjectName("closing question");
  box->setAttribute(Qt::WA_DeleteOnClose);
  box->setInformativeText(
      "Stopping keeps a checkpoint, and the run can be resumed. Runs that wait are in the queue again at the next "
      "start, held.");
  QPushButton* keep = box->addButton("Keep training, close when done", QMessageBox::AcceptRole);
  QPushButton* stop = box->addButton("Stop and close", QMessageBox::DestructiveRole);
  QPushButton* cancel = box->addButton("Cancel", QMessageBox::RejectRole);
  box->setDefaultButton(cancel);
  connect(keep, &QPushButton::clicked, this, [this] {
    close_when_idle_ = true;
    bridge_->holdQueue(false);
    if (const auto current = bridge_->current()) bridge_->goOn(*current);
    showMinimized();
  });
  connect(stop, &QPushButton::clicked, this, [this] {
    closing_ = true;
    bridge_->closeSession();
    refreshStatus();
  });
  box->open();
}

}  // namespace ui
