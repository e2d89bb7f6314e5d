#pragma once
/// A diagnosis as rows of texts, for tables and tiles.

#include <QString>
#include <vector>

#include "engine/diagnose.h"
#include "ui/models/rows_model.h"

namespace ui {

using Rows = std::vector<std::vector<Cell>>;

QString accuracyText(const engine::Estimate& e);  ///< "71.2 [68.0, 74.4]", per cent
QString pointsText(const engine::Estimate& e);    ///< "+3.1 [+0.4, +5.8]", points
QString natsText(const engine::Estimate& e);      ///< "0.0123 [0.0101, 0.0145]"
QString chanceText(double p);                     ///< "0.0210", "< 0.0001"

std::vector<Column> exposureColumns();
Rows exposureRows(const engine::Diagnosis& d);
std::vector<Column> binColumns(const engine::Profile& profile);
Rows binRows(const engine::Profile& profile);
std::vector<Column> headColumns();
Rows headRows(const engine::Diagnosis& d);
/// One row a diagnosis.
std::vector<Column> besideColumns();
Rows besideRows(const std::vector<engine::Diagnosis>& all);
std::vector<Column> knockoutColumns();
Rows knockoutRows(const engine::Diagnosis& d);
std::vector<Column> featureColumns();
Rows featureRows(const engine::FeatureHealth& f);
std::vector<Column> denominatorColumns();
Rows denominatorRows(const engine::FeatureHealth& f);
std::vector<Column> whatIfColumns();
Rows whatIfRows(const std::vector<engine::WhatIfResult>& results);
std::vector<Column> partingColumns();
Rows partingRows(const std::vector<engine::ExampleReport>& examples);
std::vector<Column> answerColumns(const engine::ExampleReport& e);
Rows answerRows(const engine::ExampleReport& e);
std::vector<Column> continuationColumns();
Rows continuationRows(const engine::Diagnosis& d);
/// A prompt as HTML, each token coloured by what linear attention adds to its log-probability.
QString promptHtml(const engine::ExampleReport& e, const QColor& more, const QColor& less);

}  // namespace ui
