#pragma once
/// Measures of every head as matrices: layers down, heads across.

#include <QString>
#include <vector>

#include "engine/diagnose.h"
#include "ui/plots/matrix_view.h"

namespace ui {

struct HeadMeasure {
  QString title;
  double engine::HeadReport::*member;
  bool of_mass = false;  ///< of the converted model's attention mass, which not every conversion has
};
const std::vector<HeadMeasure>& headMeasures();

/// Scale 0 to 1, or −1 to 1 where a value is negative. Empty where nothing was measured or the measure does not apply.
Matrix headMatrix(const engine::Diagnosis& d, const HeadMeasure& measure);
/// Why there is no matrix.
QString whyNoHeads(const engine::Diagnosis& d, const HeadMeasure& measure);
/// Rise of the loss, one scale for both branches.
Matrix knockoutMatrix(const engine::Diagnosis& d, const std::string& branch);

}  // namespace ui
