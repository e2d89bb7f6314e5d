#pragma once
/// What the plots share; only their .cpp files include this (QCustomPlot takes seconds to compile).

#include <qcustomplot.h>

#include <QPicture>

#include "ui/theme.h"

namespace ui {

/// A plot without the library's legend, whose layout takes time quadratic in the number of curves.
QCustomPlot* newPlot(QWidget* parent, const QString& name);
/// Lines, ticks and type of one axis: light, ticks outside, no minor ones.
void styleAxis(QCPAxis* axis, const Colors& colors);
QCPScatterStyle scatterStyle(const SeriesStyle& style, const QColor& panel, double size = 5.5);
/// By suffix: png, svg, pdf, csv. False where the file cannot be written or is of another kind.
bool exportPlot(QCustomPlot* plot, const QString& file, const QString& title,
                const QColor& background, const QString& csv);
/// The plot as drawing commands at that size, to be drawn at any scale.
QPicture plotPicture(QCustomPlot* plot, QSize size);

}  // namespace ui
