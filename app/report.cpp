#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "app/commands.h"
#include "engine/error.h"

namespace app {
namespace {

struct Look {
  const char *component, *colour, *dash;
};
constexpr Look k_looks[] = {{"teacher", "#404040", "6 4"}, {"hybrid", "#0072B2", ""}, {"hybrid-overlap", "#56B4E9", "8 3 2 3"},
                            {"swa", "#E69F00", ""}, {"linear", "#009E73", ""}, {"linear-outside", "#009E73", "2 3"},
                            {"swa+sinks", "#D55E00", "6 4"}, {"sinks", "#CC79A7", "2 3"}, {"none", "#8C8C8C", "2 3"}};

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

struct Curve {
  std::string label, colour, dash;
  std::vector<engine::SeriesPoint> points;
};

std::string digits(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", v);
  return text;
}

/// Axes, a light grid and labels at the curves' ends; no script, no link.
std::string plot(const std::vector<Curve>& curves, const std::string& y_title, double low, double high) {
  constexpr double width = 860, height = 320, left = 56, right = 130, top = 12, bottom = 40;
  double last = 1;
  for (const auto& c : curves)
    for (const auto& p : c.points) last = std::max(last, static_cast<double>(p.step));
  auto x = [&](double step) { return left + (width - left - right) * step / last; };
  auto y = [&](double v) { return height - bottom - (height - top - bottom) * (v - low) / (high - low); };
  std::ostringstream svg;
  svg << "<svg viewBox=\"0 0 " << width << ' ' << height << "\" role=\"img\" aria-label=\"" << escaped(y_title) << "\">";
  for (int i = 0; i <= 4; ++i) {
    const double v = low + (high - low) * i / 4, step = last * i / 4;
    svg << "<line class=\"grid\" x1=\"" << left << "\" x2=\"" << width - right << "\" y1=\"" << y(v) << "\" y2=\"" << y(v) << "\"/>"
        << "<text x=\"" << left - 8 << "\" y=\"" << y(v) + 4 << "\" text-anchor=\"end\">" << digits(v) << "</text>"
        << "<text x=\"" << x(step) << "\" y=\"" << height - bottom + 18 << "\" text-anchor=\"middle\">" << std::llround(step) << "</text>";
  }
  svg << "<text x=\"" << (width - right + left) / 2 << "\" y=\"" << height - 4 << "\" text-anchor=\"middle\">optimizer steps</text>"
      << "<text transform=\"translate(12 " << height / 2 - 10 << ") rotate(-90)\" text-anchor=\"middle\">" << escaped(y_title) << "</text>";
  std::vector<std::pair<double, const Curve*>> ends;
  for (const auto& c : curves) {
    std::string path;
    for (const auto& p : c.points) {
      if (!std::isfinite(p.value)) continue;
      path += (path.empty() ? "M" : "L") + digits(x(static_cast<double>(p.step))) + " " + digits(y(std::clamp(p.value, low, high)));
    }
    if (path.empty()) continue;
    svg << "<path d=\"" << path << "\" fill=\"none\" stroke=\"" << c.colour << "\" stroke-width=\"2\""
        << (c.dash.empty() ? "" : " stroke-dasharray=\"" + c.dash + "\"") << "/>";
    ends.emplace_back(y(std::clamp(c.points.back().value, low, high)), &c);
  }
  std::sort(ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double floor = 0;
  for (const auto& [at, curve] : ends) {
    floor = std::max(at + 4, floor + 14);  // labels do not cover each other
    svg << "<text x=\"" << width - right + 8 << "\" y=\"" << floor << "\" fill=\"" << curve->colour << "\">" << escaped(curve->label) << "</text>";
  }
  svg << "</svg>";
  return svg.str();
}

std::vector<Curve> accuracy_curves(const engine::RunReader& reader, engine::RunId run) {
  std::vector<Curve> curves;
  const auto evaluations = reader.evaluations(run);
  for (const auto& look : k_looks) {
    Curve c{look.component, look.colour, look.dash, {}};
    for (const auto& e : evaluations)
      if (e.component == look.component && e.task == "all") c.points.push_back({e.step, 100 * e.value});
    if (!c.points.empty()) curves.push_back(std::move(c));
  }
  return curves;
}

std::string loss_plot(const engine::RunReader& reader, engine::RunId run) {
  std::vector<Curve> curves;
  double low = 0, high = 1e-9;
  const auto all = reader.series(run);
  for (const char* name : {"train/loss", "validation/loss"}) {
    const auto found = all.find(name);
    if (found == all.end()) continue;
    curves.push_back({name, std::string(name) == "train/loss" ? "#5E5E59" : "#3B6EA8", "", found->second});
    for (const auto& p : found->second)
      if (std::isfinite(p.value)) high = std::max(high, p.value);
  }
  return curves.empty() ? "" : "<h3>Loss</h3>" + plot(curves, "loss", low, high);
}

std::string score_table(const LastScores& last) {
  std::vector<std::string> tasks;
  for (const auto& r : last.rows)
    if (std::find(tasks.begin(), tasks.end(), r.task) == tasks.end()) tasks.push_back(r.task);
  std::vector<std::string> components;
  for (const auto& r : last.rows)
    if (std::find(components.begin(), components.end(), r.component) == components.end()) components.push_back(r.component);
  std::string html = "<table><tr><th>task</th>";
  for (const auto& c : components) html += "<th>" + escaped(c) + "</th>";
  html += "</tr>";
  for (const auto& task : tasks) {
    html += "<tr><td>" + escaped(task) + "</td>";
    for (const auto& c : components) {
      const auto* e = last.find(c, task);
      html += "<td class=\"n\">" + (!e ? std::string("–") : shown_score(*e)) + "</td>";
    }
    html += "</tr>";
  }
  return html + "</table>";
}

constexpr const char* k_style =
    "body{font:14px system-ui,sans-serif;color:#1C1C1A;background:#F6F6F4;margin:0 auto;max-width:960px;padding:24px}"
    "section{background:#fff;border:1px solid #DDDDD8;border-radius:4px;padding:16px;margin:16px 0}"
    "h1{font-size:20px;font-weight:600}h2{font-size:17px;font-weight:600;margin-top:0}h3{font-size:14px}"
    "table{border-collapse:collapse;font-size:13px}td,th{padding:4px 10px;border-bottom:1px solid #DDDDD8;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.n{font-variant-numeric:tabular-nums}.s{color:#5E5E59}"
    "svg{width:100%;height:auto;font-size:12px}.grid{stroke:#DDDDD8}pre{background:#F6F6F4;padding:12px;overflow:auto}"
    ".v{font-size:16px}";

}  // namespace

void write_report(const engine::RunReader& reader, const std::vector<engine::RunInfo>& runs, const std::filesystem::path& file) {
  std::ostringstream html;
  html << "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Equipoise report</title><style>" << k_style
       << "</style><h1>Equipoise report</h1><p class=\"s\">Accuracy in percent ± the half-width of the 95 % interval "
          "(single tasks: binomial; averages and differences: paired bootstrap over examples, within one seed).</p>";
  for (const auto& run : runs) {
    const LastScores last = last_scores(reader, run.id);
    html << "<section><h2>" << escaped(run.name) << "</h2><p class=\"v\">" << escaped(verdict(last)) << "</p><p class=\"s\">run " << run.id
         << ", " << engine::to_string(run.state) << ", seed " << run.seed << ", recipe " << run.hash << ", " << escaped(run.device) << ' '
         << run.dtype << ", " << std::llround(run.seconds) << " s, version " << escaped(run.version) << ", host " << escaped(run.host)
         << "</p>" << score_table(last) << "<h3>Accuracy of each component, average over tasks</h3>"
         << plot(accuracy_curves(reader, run.id), "accuracy, %", 0, 100) << loss_plot(reader, run.id)
         << "<details><summary>Recipe, every key</summary><pre>" << escaped(run.recipe) << "</pre></details></section>";
  }
  std::ofstream out(file, std::ios::binary);
  out << html.str() << "</html>\n";
  if (!out.flush()) throw engine::InputError(file.string() + ": cannot be written");
}

}  // namespace app
