#pragma once
/// Draws every control flat, with one-pixel lines, from the theme's colours at the moment of
/// drawing: a change of theme is a new palette and a repaint, whatever the number of widgets.
///
/// A widget's "role" (a dynamic property) says which form of its kind it is: push buttons primary,
/// link, segment, quiet, warning, menu; tool buttons flat; frames card, banner; labels secondary,
/// problem, warning, good, chip, mark (a dot); containers page, canvas (window colour), inset
/// (panel colour); text and list views plain (no frame). "level" and "problem" colour chips,
/// banners and fields.

#include <QProxyStyle>

namespace ui {

class Style : public QProxyStyle {
 public:
  Style();
  /// Scale of text, which heights follow; 1 to 2.
  void setZoom(double zoom) { zoom_ = zoom; }

  using QProxyStyle::polish;
  void polish(QWidget* widget) override;
  int pixelMetric(PixelMetric metric, const QStyleOption* option,
                  const QWidget* widget) const override;
  int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                QStyleHintReturn* data) const override;
  QSize sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& contents,
                         const QWidget* widget) const override;
  QRect subElementRect(SubElement element, const QStyleOption* option,
                       const QWidget* widget) const override;
  QRect subControlRect(ComplexControl control, const QStyleOptionComplex* option, SubControl part,
                       const QWidget* widget) const override;
  QIcon standardIcon(StandardPixmap which, const QStyleOption* option,
                     const QWidget* widget) const override;
  void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                     const QWidget* widget) const override;
  void drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                   const QWidget* widget) const override;
  void drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                          QPainter* painter, const QWidget* widget) const override;

 private:
  int scaled(int px) const;
  double zoom_ = 1;
};

/// The colours and frame that a widget's role asks for; called again when role, level or theme
/// change.
void dressForRole(QWidget* widget);

}  // namespace ui
