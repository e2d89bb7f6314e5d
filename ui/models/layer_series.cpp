#include "ui/models/layer_series.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

namespace ui {
namespace {

constexpr double k_none = std::numeric_limits<double>::quiet_NaN();
constexpr std::ptrdiff_t k_most_of_a_column = 16;

struct Place {
  std::string family;
  int layer = 0, head = -1;
};

/// The number behind `word` at `at`, which moves behind it.
std::optional<int> numberBehind(const std::string& text, const std::string& word, std::size_t& at) {
  if (text.compare(at, word.size(), word) != 0) return std::nullopt;
  int value = 0;
  const char* first = text.data() + at + word.size();
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  at = std::size_t(end - text.data());
  return value;
}

std::optional<Place> placeOf(const std::string& series) {
  std::size_t at = series.find("/layer.");
  if (at == std::string::npos) return std::nullopt;
  Place place{series.substr(0, at)};
  const auto layer = numberBehind(series, "/layer.", at);
  if (!layer) return std::nullopt;
  place.layer = *layer;
  if (at == series.size()) return place;
  const auto head = numberBehind(series, ".head.", at);
  if (!head || at != series.size()) return std::nullopt;
  place.head = *head;
  return place;
}

QString titleOf(const std::string& family) {
  static const std::map<std::string, QString> k_titles{{"share", "linear share"},
                                                       {"transfer", "transfer loss"},
                                                       {"mixing", "mixing weight"},
                                                       {"denominator", "denominator"},
                                                       {"map", "feature map"}};
  const auto found = k_titles.find(family);
  return found == k_titles.end() ? QString::fromStdString(family) : found->second;
}

int rank(const std::string& family) { return family == "share" ? 0 : family == "transfer" ? 1 : 2; }

std::string nameOf(const LayerFamily& family, int layer, int head) {
  std::string name = family.name + "/layer." + std::to_string(layer);
  return family.by_head ? name + ".head." + std::to_string(head) : name;
}

/// The last step of each column: those of the layer with the most points, taken together so that
/// there are at most so many.
std::vector<double> columnEnds(const std::vector<const CurvePoints*>& layers, int most) {
  std::vector<double> ends;
  const CurvePoints* longest = nullptr;
  for (const CurvePoints* points : layers)
    if (points && (!longest || points->size() > longest->size())) longest = points;
  if (!longest || longest->empty()) return ends;
  const std::size_t each = (longest->size() + std::size_t(most) - 1) / std::size_t(most);
  for (std::size_t i = each; i < longest->size(); i += each) ends.push_back((*longest)[i - 1].x);
  ends.push_back(longest->back().x);
  return ends;
}

/// The mean of the points in each column; of very many, of some that lie evenly among them.
std::vector<double> columnMeans(const CurvePoints& points, const std::vector<double>& ends) {
  std::vector<double> means;
  auto first = points.begin();
  std::ptrdiff_t count = 0;
  for (double last : ends) {
    // Mostly as many as the column before; a search in a long series takes far longer than a look.
    const std::ptrdiff_t left = points.end() - first;
    const bool same = count > 0 && count <= left && first[count - 1].x <= last &&
                      (count == left || first[count].x > last);
    if (!same)
      count = std::upper_bound(first, points.end(), last,
                               [](double x, const CurvePoint& p) { return x < p.x; }) -
              first;
    const std::ptrdiff_t taken = std::min(count, k_most_of_a_column);
    double sum = 0;
    int n = 0;
    for (std::ptrdiff_t i = 0; i < taken; ++i)
      if (const double y = first[i * count / taken].y; std::isfinite(y)) sum += y, ++n;
    means.push_back(n > 0 ? sum / n : k_none);
    first += count;
  }
  return means;
}

void findScale(LayerPicture& picture) {
  if (picture.share) return;
  picture.low = std::numeric_limits<double>::max();
  picture.high = std::numeric_limits<double>::lowest();
  for (const auto& row : picture.values)
    for (double v : row)
      if (std::isfinite(v)) {
        picture.low = std::min(picture.low, v);
        picture.high = std::max(picture.high, v);
      }
  if (picture.low > picture.high) picture.low = 0, picture.high = 1;
  if (picture.low == picture.high) picture.high = picture.low + 1;
}

}  // namespace

std::vector<LayerFamily> layerFamilies(const RunData& run) {
  std::map<std::tuple<int, std::string, bool>, LayerFamily> found;
  for (const auto& [series, points] : run.series) {
    const auto place = placeOf(series);
    if (!place || points.empty()) continue;
    const bool by_head = place->head >= 0;
    LayerFamily& f = found[{rank(place->family), place->family, !by_head}];
    f.name = place->family;
    f.by_head = by_head;
    f.layers = std::max(f.layers, place->layer + 1);
    f.heads = std::max(f.heads, place->head + 1);
    f.title = titleOf(f.name) + (by_head ? " by head" : " over steps");
  }
  std::vector<LayerFamily> out;
  for (auto& [key, family] : found) out.push_back(std::move(family));
  return out;
}

LayerPicture layerPicture(const RunData& run, const LayerFamily& family, int most_columns) {
  LayerPicture picture;
  picture.share = family.name == "share";
  auto points = [&](int layer, int head) -> const CurvePoints* {
    const auto found = run.series.find(nameOf(family, layer, head));
    return found == run.series.end() ? nullptr : &found->second;
  };
  if (family.by_head) {
    for (int h = 0; h < family.heads; ++h) picture.columns.push_back(h);
    for (int l = 0; l < family.layers; ++l) {
      auto& row = picture.values.emplace_back();
      for (int h = 0; h < family.heads; ++h) {
        const auto* p = points(l, h);
        row.push_back(p && !p->empty() ? p->back().y : k_none);
      }
    }
  } else {
    std::vector<const CurvePoints*> layers;
    for (int l = 0; l < family.layers; ++l) layers.push_back(points(l, -1));
    picture.columns = columnEnds(layers, std::max(1, most_columns));
    for (const CurvePoints* layer : layers)
      picture.values.push_back(layer ? columnMeans(*layer, picture.columns)
                                     : std::vector<double>(picture.columns.size(), k_none));
  }
  findScale(picture);
  return picture;
}

}  // namespace ui
