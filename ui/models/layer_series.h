#pragma once
/// Series of one kind over layers and heads ("share/layer.3", "share/layer.3.head.1"), as pictures.

#include <QString>
#include <vector>

#include "ui/models/run_data.h"

namespace ui {

struct LayerFamily {
  std::string name;  ///< "share"
  bool by_head = false;
  int layers = 0, heads = 0;  ///< highest index + 1
  QString title;              ///< "linear share by head"
  bool operator==(const LayerFamily&) const = default;
};

/// What a run has of them: linear share first, then transfer loss, then the others by name.
std::vector<LayerFamily> layerFamilies(const RunData& run);

/// rows × columns; NaN where there is no point.
struct LayerPicture {
  std::vector<std::vector<double>> values;
  std::vector<double> columns;  ///< steps, or heads
  double low = 0, high = 1;
  bool share = false;  ///< the scale is 0…1, shown in percent
};
/// By head: the last values. Over steps: one column a step, at most `most_columns` of them; more
/// are averaged, neighbours together.
LayerPicture layerPicture(const RunData& run, const LayerFamily& family, int most_columns);

}  // namespace ui
