#include "ui/pages/gate_line.h"

#include <QHBoxLayout>
#include <QLabel>
#include <cmath>

#include "engine/verdict.h"
#include "ui/theme.h"

namespace ui {
namespace {

struct Gate {
  const char *series, *name, *what;
};
constexpr Gate k_gates[] = {
    {"gate/identity", "identity",
     "With every layer at the teacher's softmax the logits are the teacher's"},
    {"gate/decode", "decode", "Token by token the logits are those of the whole sequence"},
    {"gate/batch", "batch", "In a batch the logits are those of each row alone"},
};

}  // namespace

GateLine::GateLine(QWidget* parent) : QWidget(parent), row_(new QHBoxLayout(this)) {
  setAccessibleName("Checks of the run");
  row_->setContentsMargins(0, 2, 0, 0);
  row_->setSpacing(6);
  hide();
}

QStringList GateLine::texts() const { return shown_; }

void GateLine::show(const RunData& run) {
  QStringList texts, roles, tips;
  for (const Gate& gate : k_gates) {
    const auto found = run.series.find(gate.series);
    if (found == run.series.end() || found->second.empty()) continue;
    const double limit = engine::gate_tolerance(run.info.dtype);
    const double worst = found->second.back().y;
    const bool passed = std::isfinite(worst) && worst <= limit;
    texts << QString("%1 %2").arg(gate.name,
                                  passed ? QString("ok") : QString::number(worst, 'g', 2));
    roles << (passed ? "good" : "error");
    tips << QString("%1.\nLargest difference, relative to the largest logit: %2 of at most %3")
                .arg(gate.what)
                .arg(worst, 0, 'g', 3)
                .arg(limit, 0, 'g', 1);
  }
  setVisible(!texts.isEmpty());
  if (texts == shown_) return;
  shown_ = texts;
  while (QLayoutItem* item = row_->takeAt(0)) {
    if (QWidget* w = item->widget()) w->deleteLater();
    delete item;
  }
  for (int i = 0; i < texts.size(); ++i) {
    auto* chip = new QLabel(texts[i]);
    chip->setProperty("role", "chip");
    chip->setProperty("level", roles[i]);
    chip->setToolTip(tips[i]);
    useFont(chip, TextRole::secondary);
    row_->addWidget(chip);
  }
  row_->addStretch();
}

}  // namespace ui
