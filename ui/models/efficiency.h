#pragma once
/// Time and memory of attention against length, as measured on this machine: hybrid, the window alone and softmax. A plain
/// value that is kept as JSON.

#include <QByteArray>
#include <QDateTime>
#include <QPointF>
#include <QString>
#include <optional>
#include <vector>

#include "engine/bench.h"
#include "ui/models/rows_model.h"

namespace ui {

struct Efficiency {
  QDateTime when;
  QString machine;                     ///< host, processor, threads
  engine::AttentionBench bench;        ///< what was asked
  int threads = 0, repeats = 5;        ///< threads 0: a core each
  std::vector<engine::BenchRow> rows;  ///< one a length and pass
};

QByteArray toJson(const Efficiency& e);
/// Nothing where the text is no such measurement (it is measured again then).
std::optional<Efficiency> efficiencyFrom(const QByteArray& json);

struct Quantity {
  const char* title;  ///< "forward"
  const char* axis;   ///< "time of one call, ms"
  const char* pass;   ///< of engine::BenchRow
  bool memory;
};
const std::vector<Quantity>& quantities();  ///< time and memory, each forward and with the backward pass

/// hybrid, swa, softmax: value by length.
struct EfficiencyCurve {
  QString name;       ///< as it is shown
  QString component;  ///< whose colour it has
  std::vector<QPointF> points;
};
std::vector<EfficiencyCurve> curvesOf(const Efficiency& e, const Quantity& quantity);

/// The length from which on hybrid needs less than softmax, between two measured ones on straight lines of the logarithms.
/// Nothing where they do not cross.
std::optional<double> crossoverOf(const Efficiency& e, const Quantity& quantity);
/// "Hybrid needs less time than softmax from about 2,900 tokens on; at 8,192 tokens 0.41 times as much."
QString crossoverText(const Efficiency& e, const Quantity& quantity);

std::vector<Column> efficiencyColumns();
std::vector<std::vector<Cell>> efficiencyRows(const Efficiency& e);
/// The paper's Table 6 as printed, a heading line a model.
std::vector<Column> paperEfficiencyColumns();
std::vector<std::vector<Cell>> paperEfficiencyRows();

}  // namespace ui
