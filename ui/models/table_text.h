#pragma once
/// A table of texts for the clipboard: Markdown, LaTeX, CSV, TSV.

#include "ui/models/ablation_model.h"
#include "ui/models/rows_model.h"

namespace ui {

using TableFormat = AblationModel::Format;
/// What a menu offers, with its words.
const std::vector<std::pair<QString, TableFormat>>& tableFormats();

/// Header and lines of equal length; the first `words` columns are left-aligned.
QString tableText(const QList<QStringList>& lines, int words, TableFormat format);
/// As shown; in CSV and TSV a cell's number stands with every digit where it has one.
QString rowsText(const RowsModel& rows, TableFormat format);

std::vector<Column> pairedColumns();
std::vector<std::vector<Cell>> pairedCells(const std::vector<PairedRow>& rows);

}  // namespace ui
