#pragma once
/// A report of some runs as one PDF: their ablation table side by side, then a page a run with its
/// verdict, curves and recipe. Figures are vectors.

#include <QString>
#include <vector>

#include "ui/models/run_data.h"

namespace ui {

/// Throws engine::InputError with the file where it cannot be written.
void writePdfReport(const std::vector<const RunData*>& runs, const QString& file);

}  // namespace ui
