#pragma once
/// What the program and the machine use, in a word at the status bar and in full in its tooltip.

#include <QLabel>
#include <QTimer>

#include "engine/resources.h"

namespace ui {

class ResourceLine : public QLabel {
  Q_OBJECT

 public:
  explicit ResourceLine(QWidget* parent = nullptr);
  void setUse(const engine::ResourceUse& use);

 private:
  void read();
  engine::ResourceMeter meter_;
  QTimer timer_;
};

/// "CPU 1.8 of 2 · 3.1 GiB", with a GPU "GPU 43 % · 12 of 80 GiB · 61 °C" behind it.
QString resourceText(const engine::ResourceUse& use);
QString resourceDetails(const engine::ResourceUse& use);  ///< a line each

}  // namespace ui
