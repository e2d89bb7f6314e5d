#pragma once
/// What the engine's looks give, as rows of tables. Each pair: the columns, and the rows of a value.

#include <vector>

#include "engine/inspect.h"
#include "ui/models/rows_model.h"

namespace ui {

using Rows = std::vector<std::vector<Cell>>;

QString grouped(std::int64_t n);           ///< "1,234,567"
QString bytesText(std::uint64_t bytes);    ///< "1.4 MiB"
QString shapeText(const std::vector<std::int64_t>& shape);  ///< "4096 × 1024"
QString countText(double n);               ///< "6.8 M"

std::vector<Column> tensorColumns();
Rows tensorRows(const engine::ModelInfo& info);

std::vector<Column> layerColumns();
Rows layerRows(const engine::ModelInfo& info);

/// Every tensor that the load report has something to say about, the worst first.
std::vector<Column> reportColumns();
Rows reportRows(const engine::ModelInfo& info);

std::vector<Column> specialTokenColumns();
Rows specialTokenRows(const engine::TokenizerInfo& info);

std::vector<Column> documentColumns();
Rows documentRows(const std::vector<engine::DocumentInfo>& documents);

std::vector<Column> exampleColumns();
Rows exampleRows(const std::vector<engine::TaskExampleInfo>& examples);

/// The choices of one example; two columns more for every scored component.
std::vector<Column> choiceColumns(const std::vector<engine::ComponentScores>& scores, bool normalised);
Rows choiceRows(const engine::TaskExampleInfo& example, const std::vector<engine::ComponentScores>& scores);
bool lengthNormalised(const engine::TaskExampleInfo& example);

/// What stands beside each other at the left of the model page: name and value.
std::vector<std::pair<QString, QString>> modelFacts(const engine::ModelInfo& info);

}  // namespace ui
