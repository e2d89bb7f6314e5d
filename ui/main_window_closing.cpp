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
  zoom_ = std::clamp(settings_->value("zoom", 1.0).toDouble(), 0.8, 2.0);
  applyTheme(*qApp, scheme_, zoom_);
}

void MainWindow::remember() {
  LayoutGuard(*settings_).save(*this);
  settings_->setValue("theme", scheme_ == Scheme::dark ? "dark" : "light");
  settings_->setValue("zoom", zoom_);
  settings_->sync();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (bridge_->readOnly() || bridge_->idle()) {
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
      "Stopping keeps a checkpoint; the run and those in the queue can be resumed at the next "
      "start.");
  QPushButton* keep = box->addButton("Keep training, close when done", QMessageBox::AcceptRole);
  QPushButton* stop = box->addButton("Stop and close", QMessageBox::DestructiveRole);
  QPushButton* cancel = box->addButton("Cancel", QMessageBox::RejectRole);
  box->setDefaultButton(cancel);
  connect(keep, &QPushButton::clicked, this, [this] {
    close_when_idle_ = true;
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
