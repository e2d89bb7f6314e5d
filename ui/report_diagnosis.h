#pragma once
/// Diagnoses as one PDF: their figures side by side, then each with its verdict, tables and heads. Heat maps of heads run
/// from 0 to 1, or −1 to 1 where a value is negative.

#include <QString>
#include <vector>

#include "engine/diagnose.h"

namespace ui {

/// Throws engine::InputError with the file where it cannot be written.
void writePdfDiagnosis(const std::vector<engine::Diagnosis>& all, const QString& file);

}  // namespace ui
