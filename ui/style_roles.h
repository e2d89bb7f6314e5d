#pragma once
/// What a widget's role is and the colours that are mixed from the theme's; for the style alone.

#include <QColor>

#include "ui/theme.h"

class QWidget;

namespace ui {

enum class Role {
  normal,
  primary,
  link,
  segment,
  quiet,
  warning,
  menu,
  flat,
  card,
  banner,
  secondary,
  problem,
  good,
  chip,
  page,
  canvas,
  inset,
  plain,
  mark
};
Role roleOf(const QWidget* widget);

/// Tones between the theme's colours.
struct Shades {
  QColor pressed, disabled, selection, field, scroll, grid, accent_hover;
};
const Shades& shadesFor(Scheme scheme);
const Shades& shadesOf(const QWidget* widget);
/// The colour that a widget's "level" asks for: error or good.
QColor levelColor(const QWidget* widget, const QColor& otherwise);

}  // namespace ui
