#include "ui/models/efficiency.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLocale>
#include <algorithm>
#include <cmath>

#include "engine/paper.h"

namespace ui {
namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }
QString grouped(double v) { return QLocale(QLocale::English).toString(qint64(std::llround(v))); }

std::optional<double> named(const engine::BenchFigures& figures, const std::string& name) {
  for (const auto& [key, value] : figures)
    if (key == name) return value;
  return std::nullopt;
}

std::int64_t lengthOf(const engine::BenchRow& row) {
  for (const auto& [name, size] : row.shape)
    if (name == "T") return size;
  return 0;
}

/// Of one contender: "" is the hybrid itself.
std::optional<double> valueOf(const engine::BenchRow& row, const std::string& contender, bool memory) {
  if (memory) return named(row.figures, (contender.empty() ? "" : contender + "_") + "extra_mib");
  return contender.empty() ? std::optional(row.ms) : named(row.against, contender);
}

struct Contender {
  const char* name;
  const char* component;
  const char* key;
};
constexpr Contender k_contenders[] = {{"hybrid", "hybrid", ""}, {"swa", "swa", "swa"}, {"softmax", "teacher", "sdpa"}};

QJsonObject figuresJson(const engine::BenchFigures& figures) {
  QJsonObject json;
  for (const auto& [name, value] : figures) json[text(name)] = value;
  return json;
}

engine::BenchFigures figuresFrom(const QJsonObject& json) {
  engine::BenchFigures figures;
  for (auto it = json.begin(); it != json.end(); ++it) figures.emplace_back(it.key().toStdString(), it.value().toDouble());
  return figures;
}

}  // namespace

QByteArray toJson(const Efficiency& e) {
  QJsonArray rows, lengths;
  for (const auto& row : e.rows)
    rows.append(QJsonObject{{"T", qint64(lengthOf(row))}, {"pass", text(row.pass)}, {"threads", row.threads}, {"ms", row.ms},
                            {"against", figuresJson(row.against)}, {"figures", figuresJson(row.figures)}});
  for (auto length : e.bench.lengths) lengths.append(qint64(length));
  const QJsonObject settings{{"lengths", lengths}, {"dtype", text(e.bench.dtype)}, {"heads", qint64(e.bench.heads)}, {"head_dim", qint64(e.bench.head_dim)},
                             {"columns", qint64(e.bench.columns)}, {"window", qint64(e.bench.window)}, {"threads", e.threads}, {"repeats", e.repeats}};
  return QJsonDocument(QJsonObject{{"when", e.when.toString(Qt::ISODate)}, {"machine", e.machine}, {"settings", settings}, {"rows", rows}}).toJson();
}

std::optional<Efficiency> efficiencyFrom(const QByteArray& json) {
  const QJsonObject whole = QJsonDocument::fromJson(json).object();
  const QJsonObject settings = whole["settings"].toObject();
  Efficiency e;
  e.when = QDateTime::fromString(whole["when"].toString(), Qt::ISODate);
  e.machine = whole["machine"].toString();
  e.bench.lengths.clear();
  for (const QJsonValue& length : settings["lengths"].toArray()) e.bench.lengths.push_back(length.toInteger());
  e.bench.dtype = settings["dtype"].toString().toStdString();
  e.bench.heads = e.bench.groups = settings["heads"].toInteger();
  e.bench.head_dim = settings["head_dim"].toInteger();
  e.bench.columns = settings["columns"].toInteger();
  e.bench.window = settings["window"].toInteger();
  e.threads = settings["threads"].toInt();
  e.repeats = settings["repeats"].toInt();
  for (const QJsonValue& value : whole["rows"].toArray()) {
    const QJsonObject row = value.toObject();
    e.rows.push_back({"attention", {{"T", row["T"].toInteger()}}, e.bench.dtype, row["threads"].toInt(), e.repeats, row["pass"].toString().toStdString(),
                      row["ms"].toDouble(), figuresFrom(row["against"].toObject()), figuresFrom(row["figures"].toObject())});
  }
  if (!e.when.isValid() || e.rows.empty() || e.bench.heads < 1) return std::nullopt;
  return e;
}

const std::vector<Quantity>& quantities() {
  static const std::vector<Quantity> all{{"Time, forward", "time of one call, ms", "forward", false},
                                         {"Time, both passes", "time of one call, ms", "forward+backward", false},
                                         {"Memory, forward", "memory beyond inputs and outputs, MiB", "forward", true},
                                         {"Memory, both passes", "memory beyond inputs and outputs, MiB", "forward+backward", true}};
  return all;
}

std::vector<EfficiencyCurve> curvesOf(const Efficiency& e, const Quantity& quantity) {
  std::vector<EfficiencyCurve> curves;
  for (const Contender& c : k_contenders) {
    EfficiencyCurve curve{c.name, c.component, {}};
    for (const auto& row : e.rows)
      if (row.pass == quantity.pass)
        if (const auto value = valueOf(row, c.key, quantity.memory)) curve.points.emplace_back(double(lengthOf(row)), *value);
    std::sort(curve.points.begin(), curve.points.end(), [](QPointF a, QPointF b) { return a.x() < b.x(); });
    curves.push_back(std::move(curve));
  }
  return curves;
}

namespace {

/// Hybrid over softmax at each length that has both, above zero.
std::vector<QPointF> ratios(const Efficiency& e, const Quantity& quantity) {
  const auto curves = curvesOf(e, quantity);
  std::vector<QPointF> out;
  for (QPointF h : curves.front().points)
    for (QPointF s : curves.back().points)
      if (h.x() == s.x() && h.y() > 0 && s.y() > 0) out.emplace_back(h.x(), h.y() / s.y());
  return out;
}

}  // namespace

std::optional<double> crossoverOf(const Efficiency& e, const Quantity& quantity) {
  const auto r = ratios(e, quantity);
  if (r.empty() || r.back().y() > 1) return std::nullopt;
  for (std::size_t i = r.size(); i-- > 1;) {
    if (r[i - 1].y() <= 1) continue;
    const double above = std::log(r[i - 1].y()), below = std::log(r[i].y());
    const double share = above / (above - below);
    return std::exp(std::log(r[i - 1].x()) + share * std::log(r[i].x() / r[i - 1].x()));
  }
  return std::nullopt;
}

QString crossoverText(const Efficiency& e, const Quantity& quantity) {
  const auto r = ratios(e, quantity);
  const QString what = quantity.memory ? "memory" : "time";
  if (r.empty()) return quantity.memory ? "Memory was not measured here." : "Softmax was not measured at these lengths.";
  const QString end = QString("at %1 tokens %2 times as much").arg(grouped(r.back().x())).arg(r.back().y(), 0, 'f', 2);
  if (const auto at = crossoverOf(e, quantity)) return QString("Hybrid needs less %1 than softmax from about %2 tokens on; %3.").arg(what, grouped(*at), end);
  if (r.back().y() > 1) return QString("Hybrid needs more %1 than softmax at the longest length, %2 tokens: %3 times as much.").arg(what, grouped(r.back().x())).arg(r.back().y(), 0, 'f', 2);
  return QString("Hybrid needs less %1 than softmax at every length measured; %2.").arg(what, end);
}

std::vector<Column> efficiencyColumns() {
  std::vector<Column> columns{{"tokens", true}, {"pass", false, "forward, or forward and backward"}};
  for (const Contender& c : k_contenders) columns.push_back({QString(c.name) + ", ms", true, "median of one call"});
  columns.push_back({"ratio", true, "hybrid over softmax, of the times; below 1 hybrid is faster"});
  for (const Contender& c : k_contenders) columns.push_back({QString(c.name) + ", MiB", true, "memory beyond inputs, outputs and gradients"});
  return columns;
}

std::vector<std::vector<Cell>> efficiencyRows(const Efficiency& e) {
  std::vector<std::vector<Cell>> rows;
  auto cell = [](std::optional<double> v, int digits) { return v ? Cell{QString::number(*v, 'f', digits), *v} : Cell{"–"}; };
  for (const auto& row : e.rows) {
    std::vector<Cell> line{{grouped(double(lengthOf(row))), qint64(lengthOf(row))}, {row.pass == "forward" ? "forward" : "both"}};
    for (const Contender& c : k_contenders) line.push_back(cell(valueOf(row, c.key, false), 2));
    const auto softmax = valueOf(row, "sdpa", false);
    line.push_back(softmax && *softmax > 0 ? cell(row.ms / *softmax, 2) : Cell{"–"});
    for (const Contender& c : k_contenders) line.push_back(cell(valueOf(row, c.key, true), 1));
    rows.push_back(std::move(line));
  }
  return rows;
}

std::vector<Column> paperEfficiencyColumns() {
  const engine::PaperTable* t = engine::find_paper_table("table6");
  std::vector<Column> columns{{text(t->label)}};
  const char* short_titles[] = {"time, min", "peak, GiB", "samples/s"};  // the printed headings are the tooltips
  for (std::size_t i = 0; i < t->columns.size() && i < 3; ++i) columns.push_back({short_titles[i], true, text(t->columns[i].printed)});
  return columns;
}

std::vector<std::vector<Cell>> paperEfficiencyRows() {
  std::vector<std::vector<Cell>> rows;
  std::string model;
  for (const auto& r : engine::find_paper_table("table6")->rows) {
    if (r.model_printed != model) rows.push_back({{text(model = r.model_printed), {}, {}, Cell::Mark::strong}, {}, {}, {}});
    std::vector<Cell> line{{text(r.label)}};
    for (const auto& c : r.cells) line.push_back({text(c.printed) + (c.uncertain ? " ?" : ""), {}, c.uncertain ? "The paper's text leaves digits of this cell open" : ""});
    rows.push_back(std::move(line));
  }
  return rows;
}

}  // namespace ui
