#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "engine/diagnose.h"
#include "engine/verdict.h"

namespace engine {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

std::string digits(double v, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, v);
  return text;
}

std::string whole(double v) { return digits(v, 0); }

std::string percent(const Estimate& e) {
  return e.n == 0 ? "–" : digits(100 * e.value, 1) + " [" + digits(100 * e.low, 1) + ", " + digits(100 * e.high, 1) + "]";
}
std::string points(const Estimate& e) {
  return e.n == 0 ? "–" : points_text(e.value) + " [" + points_text(e.low) + ", " + points_text(e.high) + "]";
}
std::string nats(const Estimate& e) {
  return e.n == 0 ? "–" : digits(e.value, 4) + " [" + digits(e.low, 4) + ", " + digits(e.high, 4) + "]";
}
std::string chance(double p) { return p < 1e-4 ? "&lt; 0.0001" : digits(p, 4); }

using Row = std::vector<std::string>;
std::string table(const Row& head, const std::vector<Row>& rows) {
  std::string html = "<table><tr>";
  for (const auto& h : head) html += "<th>" + h + "</th>";
  for (const auto& r : rows) {
    html += "</tr><tr>";
    for (const auto& c : r) html += "<td>" + c + "</td>";
  }
  return html + "</tr></table>";
}

/// cividis at eleven places.
std::string colour(double t) {
  constexpr std::array<std::array<int, 3>, 11> k_map{{{0, 34, 78}, {18, 53, 112}, {59, 73, 108}, {87, 93, 109}, {112, 113, 115}, {138, 134, 120},
                                                      {165, 156, 116}, {195, 179, 105}, {225, 204, 85}, {254, 232, 56}, {254, 232, 56}}};
  const double at = std::clamp(t, 0.0, 1.0) * 9.0;
  const auto i = static_cast<std::size_t>(at);
  char text[32];
  auto mixed = [&](std::size_t c) { return static_cast<int>(std::lround(k_map[i][c] + (at - static_cast<double>(i)) * (k_map[i + 1][c] - k_map[i][c]))); };
  std::snprintf(text, sizeof text, "#%02x%02x%02x", mixed(0), mixed(1), mixed(2));
  return text;
}

/// Layers down, heads across, values written into the cells where there is room.
std::string heat(const Diagnosis& d, const std::string& title, const std::function<double(const HeadReport&)>& of, double high) {
  const double w = std::clamp(480.0 / static_cast<double>(std::max<std::int64_t>(1, d.heads)), 10.0, 56.0), h = 22;
  const double width = 60 + w * static_cast<double>(d.heads) + 90, height = 34 + h * static_cast<double>(d.layers);
  std::string svg = "<figure><figcaption>" + title + "</figcaption><svg viewBox=\"0 0 " + whole(width) + " " + whole(height) + "\" width=\"" + whole(width) + "\">";
  for (const auto& r : d.inside) {
    if (r.head < 0) continue;
    const double v = of(r), x = 60 + w * static_cast<double>(r.head), y = 4 + h * static_cast<double>(r.layer);
    svg += "<rect x=\"" + digits(x, 1) + "\" y=\"" + digits(y, 1) + "\" width=\"" + digits(w - 1, 1) + "\" height=\"" + digits(h - 1, 1) +
           "\" fill=\"" + colour(v / high) + "\"><title>layer " + std::to_string(r.layer) + ", head " + std::to_string(r.head) + ": " + digits(v, 3) + "</title></rect>";
    if (w >= 36) svg += "<text x=\"" + digits(x + w / 2, 1) + "\" y=\"" + digits(y + 15, 1) + "\" text-anchor=\"middle\" fill=\"" +
                        (v / high > 0.55 ? "#1C1C1A" : "#FFFFFF") + "\">" + digits(v, 2) + "</text>";
  }
  for (std::int64_t l = 0; l < d.layers; ++l)
    svg += "<text x=\"54\" y=\"" + digits(19 + h * static_cast<double>(l), 1) + "\" text-anchor=\"end\">layer " + std::to_string(l) + "</text>";
  svg += "<text x=\"60\" y=\"" + whole(height - 12) + "\">heads 0 to " + std::to_string(d.heads - 1) + "; scale 0 to " + digits(high, 2) + "</text>";
  return svg + "</svg></figure>";
}

std::string map_picture(const AttentionMaps& maps, const MapView& view) {
  const double cell = std::max(1.0, 240.0 / static_cast<double>(maps.rows)), size = cell * static_cast<double>(maps.rows);
  std::string svg = "<figure><figcaption>" + view.name + ": entropy " + digits(view.mean_entropy, 3) + " nats" +
                    (view.divergence.empty() ? "" : ", divergence " + digits(view.mean_divergence, 3)) + "</figcaption><svg viewBox=\"0 0 " +
                    whole(size) + " " + whole(size) + "\" width=\"260\" shape-rendering=\"crispEdges\"><rect width=\"100%\" height=\"100%\" fill=\"" + colour(0) + "\"/>";
  for (std::int64_t r = 0; r < maps.rows; ++r)
    for (std::int64_t c = 0; c <= r; ++c) {
      const double v = std::sqrt(view.cells[static_cast<std::size_t>(r * maps.rows + c)]);
      if (v < 0.02) continue;
      svg += "<rect x=\"" + digits(cell * static_cast<double>(c), 1) + "\" y=\"" + digits(cell * static_cast<double>(r), 1) + "\" width=\"" +
             digits(cell, 1) + "\" height=\"" + digits(cell, 1) + "\" fill=\"" + colour(v) + "\"/>";
    }
  return svg + "</svg></figure>";
}

std::string profiles(const std::string& title, const std::vector<Profile>& all) {
  std::string html = "<h3>" + title + "</h3>";
  for (const auto& p : all) {
    if (!p.problem.empty()) {
      html += "<p class=\"s\">" + escaped(p.name) + ": " + escaped(p.problem) + "</p>";
      continue;
    }
    Row head{escaped(p.name) + ", tokens", "examples", "exposed"};
    if (!p.bins.empty())
      for (const auto& s : p.bins.front().scores) head.push_back(s.component + ", %");
    head.insert(head.end(), {"Δ hybrid − swa", "p (Holm)"});
    std::vector<Row> rows;
    for (const auto& b : p.bins) {
      Row row{whole(b.low) + "–" + whole(b.high - 1), std::to_string(b.examples), std::to_string(b.exposed)};
      for (const auto& s : b.scores) row.push_back(percent(s.accuracy));
      row.push_back(points(b.delta_h_swa.difference));
      row.push_back(chance(b.delta_h_swa.p_holm));
      rows.push_back(std::move(row));
    }
    html += table(head, rows);
  }
  return html;
}

std::string exposure_table(const Diagnosis& d) {
  std::vector<Row> rows;
  for (const auto& e : d.exposure) {
    const double share = e.tokens > 0 ? static_cast<double>(e.exposed_tokens) / static_cast<double>(e.tokens) : 0;
    rows.push_back({escaped(e.task), std::to_string(e.examples), std::to_string(e.exposed_examples), digits(100 * share, 1) + " %",
                    points(e.delta_h_swa.difference), chance(e.delta_h_swa.p_holm), points(e.delta_la_na.difference),
                    e.never_h_swa.difference.n ? points_text(e.never_h_swa.difference.value) : "–"});
  }
  return "<h3>Exposure: what can show linear attention at all</h3>" +
         table({"task", "examples", "exposed", "scored tokens exposed", "Δ hybrid − swa, exposed", "p (Holm)", "Δ linear − none, exposed", "Δ h−s, never exposed"}, rows);
}

std::string knockout_table(const Diagnosis& d) {
  std::vector<Row> rows;
  for (const auto& k : d.knockouts)
    rows.push_back({std::to_string(k.layer), k.head < 0 ? "all" : std::to_string(k.head), k.branch, nats(k.damage), points(k.accuracy.difference), chance(k.accuracy.p_holm)});
  return "<h3>Knock-outs, by damage</h3>" + table({"layer", "head", "branch taken out", "rise of the loss, nats", "accuracy lost, points", "p (Holm)"}, rows);
}

std::string features_table(const FeatureHealth& f) {
  std::vector<Row> rows;
  for (const auto& m : f.maps)
    rows.push_back({std::to_string(m.layer), std::to_string(m.head), m.side, digits(m.distance, 3), digits(m.condition, 1),
                    digits(m.effective_rank, 1) + " of " + std::to_string(m.features), digits(100 * m.dead, 1) + " %", digits(100 * m.saturated, 1) + " %"});
  std::string html = "<h3>Feature maps</h3>" + table({"layer", "head", "side", "distance from start", "condition", "effective rank", "dead", "saturated"}, rows);
  rows.clear();
  char least[32];
  for (const auto& n : f.denominators) {
    std::snprintf(least, sizeof least, "%.3g", n.least);
    rows.push_back({std::to_string(n.layer), std::to_string(n.rows), least, digits(100 * n.below_epsilon, 2) + " %"});
  }
  return rows.empty() ? html : html + table({"layer", "denominators", "smallest", "below 1e-6"}, rows);
}

std::string example_html(const ExampleReport& e) {
  double most = 1e-6;
  for (const auto& t : e.prompt) most = std::max(most, std::abs(t.nats));
  std::string html = "<details><summary>" + escaped(e.task) + " " + std::to_string(e.doc_id) + ": " +
                     (e.hybrid_right ? "hybrid right, window wrong" : "window right, hybrid wrong") + (e.exposed ? "" : " (never exposed)") + "</summary><p class=\"p\">";
  for (const auto& t : e.prompt) {
    const double a = std::abs(t.nats) / most;
    html += "<span title=\"" + digits(t.nats, 3) + " nats\" style=\"background:rgba(" + (t.nats > 0 ? "0,114,178," : "230,159,0,") + digits(0.75 * a, 2) + ")\">" +
            escaped(t.text) + "</span>";
  }
  Row head{"choice"};
  for (const auto& s : e.scores) head.push_back(s.component);
  std::vector<Row> rows;
  for (std::size_t c = 0; c < e.choices.size(); ++c) {
    Row row{escaped(e.choices[c]) + (static_cast<std::int64_t>(c) == e.gold ? " ✓" : "")};
    for (const auto& s : e.scores) row.push_back(digits(s.choices[c].log_likelihood, 3));
    rows.push_back(std::move(row));
  }
  return html + "</p>" + table(head, rows) + "</details>";
}

constexpr const char* k_style =
    "body{font:14px system-ui,sans-serif;color:#1C1C1A;background:#F6F6F4;margin:0 auto;max-width:1100px;padding:24px}"
    "section{background:#fff;border:1px solid #DDDDD8;border-radius:4px;padding:16px;margin:16px 0;overflow-x:auto}"
    "h1{font-size:20px;font-weight:600}h2{font-size:17px;font-weight:600;margin-top:0}h3{font-size:14px;margin-top:24px}"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}td,th{padding:4px 10px;border-bottom:1px solid #DDDDD8;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.s{color:#5E5E59}.v{font-size:16px}figure{display:inline-block;margin:8px 16px 8px 0;vertical-align:top}"
    "svg{font-size:11px}figcaption{font-size:13px;margin-bottom:4px}.p{line-height:1.7}";

}  // namespace

std::string diagnosis_html(const std::vector<Diagnosis>& all) {
  double mass = 1e-6, share = 1e-6;  // one colour scale for all
  for (const auto& d : all)
    for (const auto& r : d.inside) share = std::max(share, r.exposed_share), mass = std::max({mass, r.linear_mass, r.teacher_mass});
  std::string html = std::string("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Equipoise diagnosis</title><style>") + k_style +
                     "</style><h1>Diagnosis: where linear attention works</h1><p class=\"s\">95 % intervals over examples of one seed (paired bootstrap for differences, "
                     "clusters are documents); p values are McNemar's, corrected by Holm.</p>";
  for (const auto& d : all) {
    html += "<section><h2>" + escaped(d.name) + "</h2><p class=\"s\">" + escaped(d.model) + ", " + escaped(d.checkpoint) + ", seed " + std::to_string(d.seed) +
            ", window " + std::to_string(d.window) + ", recipe " + d.recipe_hash + "</p>";
    if (d.verdict) html += "<p class=\"v\"><b>" + escaped(d.verdict->headline) + ".</b> " + escaped(d.verdict->paragraph) + "</p>";
    std::vector<Row> rows;
    for (const auto& c : d.components) rows.push_back({c.component, percent(c.accuracy), nats(c.loss)});
    if (!rows.empty()) html += "<h3>Components</h3>" + table({"component", "accuracy, %", "loss, nats a token"}, rows);
    if (!d.no_mass.empty()) html += "<p class=\"s\">" + escaped(d.no_mass) + "</p>";
    if (!d.exposure.empty()) html += exposure_table(d);
    if (!d.distance.empty()) html += profiles("By look-back distance", d.distance);
    if (!d.length.empty()) html += profiles("By prompt length", d.length);
    if (!d.inside.empty())
      html += "<h3>Layers and heads</h3>" + heat(d, "Linear share of the output norm, behind the window", [](auto& r) { return r.exposed_share; }, share) +
              (d.no_mass.empty() ? heat(d, "Hybrid's attention mass outside the window", [](auto& r) { return r.linear_mass; }, mass) : "") +
              heat(d, "Teacher's attention mass outside the window", [](auto& r) { return r.teacher_mass; }, mass);
    if (!d.knockouts.empty()) html += knockout_table(d);
    if (d.maps) {
      html += "<h3>Attention maps: layer " + std::to_string(d.maps->layer) + ", head " + std::to_string(d.maps->head) + "</h3>";
      for (const auto& v : d.maps->views) html += map_picture(*d.maps, v);
    }
    if (d.features) html += features_table(*d.features);
    rows.clear();
    for (const auto& w : d.what_if) rows.push_back({escaped(w.text), percent(w.all.accuracy), nats(w.all.loss), points(w.against_stored.difference)});
    if (!rows.empty()) html += "<h3>What if</h3>" + table({"setting", "accuracy, %", "loss, nats", "against the stored setting"}, rows);
    if (!d.examples.empty()) html += "<h3>Examples that part hybrid and window</h3>";
    for (const auto& e : d.examples) html += example_html(e);
    if (!d.continuations.empty()) html += "<h3>One prompt, gone on with</h3><p class=\"p\">" + escaped(d.prompt) + " …</p>";
    rows.clear();
    for (const auto& c : d.continuations) rows.push_back({c.component, escaped(c.text)});
    if (!rows.empty()) html += table({"component", "continuation"}, rows);
    for (const auto& n : d.notes) html += "<p class=\"s\">" + escaped(n) + "</p>";
    html += "</section>";
  }
  return html + "</html>\n";
}

}  // namespace engine
