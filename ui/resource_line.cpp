#include "ui/resource_line.h"

#include <QStringList>

#include "ui/models/inspect_tables.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_every_ms = 2000;

QString gib(std::int64_t bytes) { return bytesText(std::uint64_t(bytes)); }

QString gpuText(const engine::GpuUse& gpu) {
  QStringList parts{QString("%1 %").arg(gpu.busy_percent), gib(gpu.used_bytes) + " of " + gib(gpu.total_bytes)};
  if (gpu.celsius) parts << QString("%1 °C").arg(*gpu.celsius);
  return parts.join(" · ");
}

}  // namespace

QString resourceText(const engine::ResourceUse& use) {
  QStringList parts{QString("CPU %1 of %2").arg(use.cores, 0, 'f', 1).arg(use.cores_there)};
  if (use.memory_bytes > 0) parts << gib(use.memory_bytes);
  const engine::GpuUse* busiest = nullptr;
  for (const auto& gpu : use.gpus)
    if (!busiest || gpu.busy_percent > busiest->busy_percent) busiest = &gpu;
  if (busiest) parts << "GPU " + gpuText(*busiest);
  return parts.join(" · ");
}

QString resourceDetails(const engine::ResourceUse& use) {
  QStringList lines{QString("This program: %1 of %2 processors").arg(use.cores, 0, 'f', 2).arg(use.cores_there)};
  if (use.memory_bytes > 0)
    lines << QString("memory: %1, at most %2 so far").arg(gib(use.memory_bytes), gib(use.peak_bytes));
  if (use.total_bytes > 0)
    lines << QString("the machine: %1 of %2 still to be had").arg(gib(use.free_bytes), gib(use.total_bytes));
  for (std::size_t i = 0; i < use.gpus.size(); ++i)
    lines << QString("GPU %1, %2: ").arg(i).arg(QString::fromStdString(use.gpus[i].name)) + gpuText(use.gpus[i]) +
                 " (all programs)";
  return lines.join('\n');
}

ResourceLine::ResourceLine(QWidget* parent) : QLabel(parent) {
  setProperty("role", "secondary");
  useFont(this, TextRole::secondary);
  setContentsMargins(8, 0, 8, 0);
  setAccessibleName("Processors, memory and GPU in use");
  connect(&timer_, &QTimer::timeout, this, &ResourceLine::read);
  timer_.start(k_every_ms);
  read();
}

void ResourceLine::read() {
  if (!isHidden()) setUse(meter_.read());
}

void ResourceLine::setUse(const engine::ResourceUse& use) {
  setText(resourceText(use));
  setToolTip(resourceDetails(use));
}

}  // namespace ui
