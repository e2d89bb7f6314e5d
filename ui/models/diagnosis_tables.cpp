#include "ui/models/diagnosis_tables.h"

#include <QColor>
#include <algorithm>
#include <cmath>

#include "engine/verdict.h"

namespace ui {
namespace {

using Mark = Cell::Mark;

QString text(const std::string& s) { return QString::fromStdString(s); }
QString fixed(double v, int digits) { return QString::number(v, 'f', digits); }
Cell count(std::int64_t n) { return {QString::number(qint64(n)), qint64(n)}; }
Cell number(double v, int digits) { return {fixed(v, digits), v}; }
Cell share(double v) { return {fixed(100 * v, 1), v}; }

/// Green above 0, orange below, where the whole interval says so.
Mark signOf(const engine::Estimate& e) {
  if (e.n == 0) return Mark::secondary;
  return e.low > 0 ? Mark::good : e.high < 0 ? Mark::warning : Mark::none;
}

Cell points(const engine::Paired& p) { return {pointsText(p.difference), p.difference.value, {}, signOf(p.difference)}; }
Cell chance(const engine::Paired& p) { return {p.difference.n ? chanceText(p.p_holm) : "–", p.p_holm}; }

QString place(std::int64_t head) { return head < 0 ? "all" : QString::number(qint64(head)); }

}  // namespace

QString accuracyText(const engine::Estimate& e) {
  return e.n == 0 ? QString("–") : QString("%1 [%2, %3]").arg(fixed(100 * e.value, 1), fixed(100 * e.low, 1), fixed(100 * e.high, 1));
}

QString pointsText(const engine::Estimate& e) {
  return e.n == 0 ? QString("–")
                  : QString("%1 [%2, %3]").arg(text(engine::points_text(e.value)), text(engine::points_text(e.low)), text(engine::points_text(e.high)));
}

QString natsText(const engine::Estimate& e) {
  return e.n == 0 ? QString("–") : QString("%1 [%2, %3]").arg(fixed(e.value, 4), fixed(e.low, 4), fixed(e.high, 4)).replace('-', "−");
}

QString chanceText(double p) { return p < 1e-4 ? QString("< 0.0001") : fixed(p, 4); }

std::vector<Column> exposureColumns() {
  return {{"task"},
          {"examples", true},
          {"exposed", true, "examples with a scored token that has a key outside the window"},
          {"tokens exposed, %", true, "share of scored tokens with a key outside the window"},
          {"Δ hybrid − swa", true, "points of accuracy on exposed examples, 95 % paired bootstrap over documents"},
          {"p", true, "McNemar's exact test, Holm's correction over tasks"},
          {"Δ linear − none", true, "points of accuracy on exposed examples"},
          {"never exposed", true, "Δ hybrid − swa of the others: 0 unless linear attention sees into the window"}};
}

Rows exposureRows(const engine::Diagnosis& d) {
  Rows rows;
  for (const auto& e : d.exposure) {
    const double exposed = e.tokens > 0 ? double(e.exposed_tokens) / double(e.tokens) : 0;
    Cell name{text(e.task)};
    if (e.task == "all") name.mark = Mark::strong;
    rows.push_back({name, count(e.examples), count(e.exposed_examples), share(exposed), points(e.delta_h_swa), chance(e.delta_h_swa),
                    points(e.delta_la_na), {pointsText(e.never_h_swa.difference), e.never_h_swa.difference.value, {}, Mark::secondary}});
  }
  return rows;
}

std::vector<Column> binColumns(const engine::Profile& profile) {
  std::vector<Column> columns{{"tokens"}, {"examples", true}, {"exposed", true}};
  if (!profile.bins.empty())
    for (const auto& s : profile.bins.front().scores) columns.push_back({text(s.component) + ", %", true, "accuracy, 95 % interval over documents"});
  columns.push_back({"Δ hybrid − swa", true, "points, paired bootstrap"});
  columns.push_back({"p", true, "McNemar's exact test, Holm's correction over the rows"});
  columns.push_back({"loss hybrid", true, "nats a scored token of the right answer"});
  columns.push_back({"loss swa", true, "nats a scored token of the right answer"});
  return columns;
}

Rows binRows(const engine::Profile& profile) {
  Rows rows;
  for (const auto& b : profile.bins) {
    std::vector<Cell> row{{QString("%1–%2").arg(b.low).arg(b.high - 1), b.low}, count(b.examples), count(b.exposed)};
    for (const auto& s : b.scores) row.push_back({accuracyText(s.accuracy), s.accuracy.value});
    row.push_back(points(b.delta_h_swa));
    row.push_back(chance(b.delta_h_swa));
    for (const char* name : {"hybrid", "swa"}) {
      const auto s = std::find_if(b.scores.begin(), b.scores.end(), [&](const auto& x) { return x.component == name; });
      row.push_back(s == b.scores.end() ? Cell{"–"} : number(s->loss.value, 3));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Column> headColumns() {
  return {{"layer", true},
          {"head", true},
          {"share, %", true, "‖(1−g)·LA‖ / (‖g·SWA‖ + ‖(1−g)·LA‖), all tokens"},
          {"exposed, %", true, "the same over tokens that have a key outside the window"},
          {"mass outside, %", true, "the hybrid's attention mass outside the window"},
          {"teacher's, %", true, "the teacher's attention mass outside the window"},
          {"cos swa", true, "cosine of the window's output to the teacher's"},
          {"cos linear", true, "cosine of linear attention's output to the teacher's"},
          {"cos hybrid", true, "cosine of the hybrid's output to the teacher's"},
          {"peak", true, "distance outside the window that gets the most weight, tokens"},
          {"teacher's peak", true, "the teacher's, tokens"}};
}

Rows headRows(const engine::Diagnosis& d) {
  Rows rows;
  const bool mass = d.no_mass.empty();
  for (const auto& r : d.inside)
    rows.push_back({count(r.layer), {place(r.head), qint64(r.head)}, share(r.share), share(r.exposed_share), mass ? share(r.linear_mass) : Cell{"–"}, share(r.teacher_mass),
                    number(r.cosine_swa, 3), number(r.cosine_linear, 3), number(r.cosine_hybrid, 3), mass ? count(r.peak_distance) : Cell{"–"}, count(r.teacher_peak_distance)});
  return rows;
}

std::vector<Column> besideColumns() {
  return {{"run"}, {"checkpoint"}, {"window", true, "tokens"}, {"verdict"},
          {"Δ hybrid − swa", true, "points on exposed examples, 95 % paired bootstrap"}, {"Δ linear − none", true, "points on exposed examples"},
          {"exposed, %", true, "share of examples that leave the window"}, {"linear share, %", true, "of the attention output behind the window, mean over layers"},
          {"teacher, %", true}, {"hybrid, %", true}, {"swa, %", true}, {"linear, %", true}, {"none, %", true}};
}

Rows besideRows(const std::vector<engine::Diagnosis>& all) {
  Rows rows;
  for (const auto& d : all) {
    std::vector<Cell> row{{text(d.name)}, {text(d.checkpoint)}, count(d.window), {d.verdict ? text(d.verdict->use) : QString("–")}};
    if (d.verdict) {
      const double exposed = double(d.verdict->exposed) / double(std::max<std::int64_t>(1, d.verdict->examples));
      row.insert(row.end(), {points(d.verdict->delta_h_swa), points(d.verdict->delta_la_na), share(exposed)});
    } else {
      row.insert(row.end(), 3, Cell{"–"});
    }
    double sum = 0, layers = 0;
    for (const auto& r : d.inside)
      if (r.head < 0) sum += r.exposed_share, layers += 1;
    row.push_back(layers > 0 ? share(sum / layers) : Cell{"–"});
    for (const char* name : {"teacher", "hybrid", "swa", "linear", "none"}) {
      const auto c = std::find_if(d.components.begin(), d.components.end(), [&](const auto& x) { return x.component == name; });
      row.push_back(c == d.components.end() ? Cell{"–"} : Cell{accuracyText(c->accuracy), c->accuracy.value});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Column> knockoutColumns() {
  return {{"layer", true}, {"head", true}, {"branch", false, "what is taken out"},
          {"rise of the loss, nats", true, "a scored token of the right answer, 95 % paired bootstrap"},
          {"accuracy lost, points", true}, {"p", true, "McNemar's exact test, Holm's correction over all knock-outs"}};
}

Rows knockoutRows(const engine::Diagnosis& d) {
  Rows rows;
  for (const auto& k : d.knockouts)
    rows.push_back({count(k.layer), {place(k.head), qint64(k.head)}, {text(k.branch)}, {natsText(k.damage), k.damage.value, {}, signOf(k.damage)},
                    {pointsText(k.accuracy.difference), k.accuracy.difference.value}, chance(k.accuracy)});
  return rows;
}

std::vector<Column> featureColumns() {
  return {{"layer", true}, {"head", true}, {"side"}, {"distance", true, "‖W − W₀‖ / ‖W₀‖ from the start"}, {"condition", true, "largest over smallest singular value of W"},
          {"rank", true, "effective rank of the features over tokens"}, {"of", true, "features"}, {"dead, %", true, "features that never reach a thousandth of the mean"},
          {"saturated, %", true, "tokens on which one feature takes more than 0.99"}};
}

Rows featureRows(const engine::FeatureHealth& f) {
  Rows rows;
  for (const auto& m : f.maps)
    rows.push_back({count(m.layer), count(m.head), {text(m.side)}, number(m.distance, 3), number(m.condition, 1), number(m.effective_rank, 1), count(m.features),
                    share(m.dead), share(m.saturated)});
  return rows;
}

std::vector<Column> denominatorColumns() {
  return {{"layer", true}, {"denominators", true}, {"smallest", true}, {"below 1e-6, %", true}};
}

Rows denominatorRows(const engine::FeatureHealth& f) {
  Rows rows;
  for (const auto& n : f.denominators)
    rows.push_back({count(n.layer), count(n.rows), {QString::number(n.least, 'g', 3), n.least}, {fixed(100 * n.below_epsilon, 2), n.below_epsilon, {}, n.below_epsilon > 0 ? Mark::warning : Mark::none}});
  return rows;
}

std::vector<Column> whatIfColumns() {
  return {{"setting"}, {"accuracy, %", true}, {"loss, nats", true}, {"against stored", true, "points, the same examples"}, {"s", true}};
}

Rows whatIfRows(const std::vector<engine::WhatIfResult>& results) {
  Rows rows;
  for (const auto& r : results)
    rows.push_back({{text(r.text)}, {accuracyText(r.all.accuracy), r.all.accuracy.value}, {natsText(r.all.loss), r.all.loss.value}, points(r.against_stored),
                    r.seconds > 0 ? number(r.seconds, 2) : Cell{"–"}});
  return rows;
}

std::vector<Column> partingColumns() {
  return {{"right in"}, {"task"}, {"example", true}, {"exposed"}};
}

Rows partingRows(const std::vector<engine::ExampleReport>& examples) {
  Rows rows;
  for (const auto& e : examples)
    rows.push_back({{e.hybrid_right ? "hybrid" : "swa", {}, {}, e.hybrid_right ? Mark::good : Mark::warning}, {text(e.task)}, count(e.doc_id), {e.exposed ? "yes" : "no"}});
  return rows;
}

std::vector<Column> answerColumns(const engine::ExampleReport& e) {
  std::vector<Column> columns{{"choice"}};
  for (const auto& s : e.scores) columns.push_back({text(s.component), true, "log-likelihood, nats; ▸ the likeliest"});
  return columns;
}

Rows answerRows(const engine::ExampleReport& e) {
  Rows rows;
  for (std::size_t c = 0; c < e.choices.size(); ++c) {
    const bool gold = std::int64_t(c) == e.gold;
    std::vector<Cell> row{{text(e.choices[c]).simplified() + (gold ? "  ✓" : ""), {}, {}, gold ? Mark::strong : Mark::none}};
    for (const auto& s : e.scores)
      row.push_back({(s.best == std::int64_t(c) ? "▸ " : "") + fixed(s.choices[c].log_likelihood, 3), s.choices[c].log_likelihood});
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Column> continuationColumns() { return {{"component"}, {"goes on with"}}; }

Rows continuationRows(const engine::Diagnosis& d) {
  Rows rows;
  for (const auto& c : d.continuations) rows.push_back({{text(c.component)}, {text(c.text).simplified(), {}, text(c.text)}});
  return rows;
}

QString promptHtml(const engine::ExampleReport& e, const QColor& more, const QColor& less) {
  double most = 1e-6;
  for (const auto& t : e.prompt) most = std::max(most, std::abs(t.nats));
  QString html;
  for (const auto& t : e.prompt) {
    QColor c = t.nats > 0 ? more : less;
    c.setAlphaF(float(0.7 * std::abs(t.nats) / most));
    const QString word = text(t.text).toHtmlEscaped().replace("\n", "↵<br>");
    html += QString("<span style=\"background-color:rgba(%1,%2,%3,%4)\">%5</span>").arg(c.red()).arg(c.green()).arg(c.blue()).arg(c.alphaF(), 0, 'f', 2).arg(word);
  }
  return html;
}

}  // namespace ui
