#include <cmath>
#include <cstdio>

#include "engine/diagnose.h"

namespace engine {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string exact(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}

/// part, what, where, component, measure, value, low, high, n
class Csv {
 public:
  void add(const std::string& part, const std::string& what, const std::string& where, const std::string& component, const std::string& measure, const Estimate& e) {
    text_ += part + "," + quoted(what) + "," + quoted(where) + "," + component + "," + measure + "," + exact(e.value) + "," + exact(e.low) + "," +
             exact(e.high) + "," + std::to_string(e.n) + "\n";
  }
  void add(const std::string& part, const std::string& what, const std::string& where, const std::string& component, const std::string& measure, double v) {
    add(part, what, where, component, measure, Estimate{v, v, v, 1});
  }
  void profile(const std::string& part, const Profile& p) {
    for (const auto& b : p.bins) {
      const std::string where = std::to_string(std::llround(b.low)) + "-" + std::to_string(std::llround(b.high) - 1);
      for (const auto& s : b.scores) add(part, p.name, where, s.component, "accuracy", s.accuracy), add(part, p.name, where, s.component, "loss", s.loss);
      add(part, p.name, where, "hybrid-swa", "accuracy", b.delta_h_swa.difference);
      add(part, p.name, where, "linear-none", "accuracy", b.delta_la_na.difference);
      add(part, p.name, where, "hybrid-swa", "p_holm", b.delta_h_swa.p_holm);
    }
  }
  std::string text() const { return "part,what,where,component,measure,value,low,high,n\n" + text_; }

 private:
  std::string text_;
};

}  // namespace

std::string diagnosis_csv(const Diagnosis& d) {
  Csv csv;
  for (const auto& c : d.components) csv.add("components", "all", "", c.component, "accuracy", c.accuracy), csv.add("components", "all", "", c.component, "loss", c.loss);
  for (const auto& e : d.exposure) {
    csv.add("exposure", e.task, "", "", "examples", static_cast<double>(e.examples));
    csv.add("exposure", e.task, "", "", "exposed_examples", static_cast<double>(e.exposed_examples));
    csv.add("exposure", e.task, "", "", "tokens", static_cast<double>(e.tokens));
    csv.add("exposure", e.task, "", "", "exposed_tokens", static_cast<double>(e.exposed_tokens));
    csv.add("exposure", e.task, "exposed", "hybrid-swa", "accuracy", e.delta_h_swa.difference);
    csv.add("exposure", e.task, "exposed", "linear-none", "accuracy", e.delta_la_na.difference);
    csv.add("exposure", e.task, "never exposed", "hybrid-swa", "accuracy", e.never_h_swa.difference);
  }
  for (const auto& p : d.distance) csv.profile("distance", p);
  for (const auto& p : d.length) csv.profile("length", p);
  auto place = [](std::int64_t layer, std::int64_t head) { return std::to_string(layer) + (head < 0 ? "" : "/" + std::to_string(head)); };
  for (const auto& r : d.inside) {
    const std::string at = place(r.layer, r.head);
    csv.add("layers", at, "", "", "share", r.share), csv.add("layers", at, "", "", "exposed_share", r.exposed_share);
    if (d.no_mass.empty()) csv.add("layers", at, "outside", "hybrid", "mass", r.linear_mass);
    csv.add("layers", at, "outside", "teacher", "mass", r.teacher_mass);
    csv.add("layers", at, "", "swa", "cosine", r.cosine_swa), csv.add("layers", at, "", "linear", "cosine", r.cosine_linear);
    csv.add("layers", at, "", "hybrid", "cosine", r.cosine_hybrid);
    if (!d.no_mass.empty()) continue;
    csv.add("layers", at, "", "hybrid", "peak_distance", static_cast<double>(r.peak_distance)), csv.add("layers", at, "", "hybrid", "peak_weight", r.peak_weight);
  }
  for (const auto& k : d.knockouts) {
    csv.add("knockout", place(k.layer, k.head), k.branch, "hybrid", "damage", k.damage);
    csv.add("knockout", place(k.layer, k.head), k.branch, "hybrid", "accuracy_lost", k.accuracy.difference);
  }
  if (d.features) {
    for (const auto& m : d.features->maps) {
      const std::string at = place(m.layer, m.head);
      csv.add("features", at, m.side, "", "distance", m.distance), csv.add("features", at, m.side, "", "condition", m.condition);
      csv.add("features", at, m.side, "", "effective_rank", m.effective_rank), csv.add("features", at, m.side, "", "dead", m.dead);
      csv.add("features", at, m.side, "", "saturated", m.saturated);
    }
    for (const auto& n : d.features->denominators)
      csv.add("denominators", std::to_string(n.layer), "", "", "least", n.least), csv.add("denominators", std::to_string(n.layer), "", "", "below_epsilon", n.below_epsilon);
  }
  for (const auto& w : d.what_if) csv.add("whatif", w.text, "", "", "accuracy", w.all.accuracy), csv.add("whatif", w.text, "", "", "loss", w.all.loss);
  return csv.text();
}

}  // namespace engine
