#pragma once
/// The recipes of experiments/ that the window carries with it: the first look and every table and
/// figure of the paper.

#include <QString>
#include <vector>

#include "engine/recipe.h"

namespace ui {

struct Experiment {
  QString id;             ///< "paper/table12/ssd-embedded"
  QString group;          ///< "Table 12", "Figure 5", "First look"
  QString about;          ///< the group's caption
  QString title;          ///< "ssd, embedded"
  QString notes;          ///< the comment at the head of its file
  bool embedded = false;  ///< runs on builtin:tiny, without a download
};

/// All, in the paper's order; those that run as they are first in each group.
const std::vector<Experiment>& experiments();
/// The recipe of one. Problems only where the program was built from a damaged file.
engine::ParsedRecipe experimentRecipe(const Experiment& experiment);

}  // namespace ui
