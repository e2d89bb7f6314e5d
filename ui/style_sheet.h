#pragma once
/// The application style sheet: what Fusion draws with gradients or bevels, drawn flat. Measures of
/// one 8-pixel grid.

#include <QString>

namespace ui {
struct Colors;
QString styleSheet(const Colors& colors, double zoom);
}  // namespace ui
