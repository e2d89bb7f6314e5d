#pragma once
/// Where, when and by how much the linear half works: one checkpoint opened layer by layer, distance by distance, example
/// by example. Plain values for a page or a command; no torch, no JSON in this header. Words as in METHODS.md.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/eval/intervals.h"
#include "engine/inspect.h"
#include "engine/subject.h"

namespace engine {

struct Evaluated;

// ---- what is asked -------------------------------------------------------------------------------------------------

/// One setting of the controls; the recipe's own where a member is at its default.
struct WhatIf {
  std::string component = "hybrid";
  double weight = -1;           ///< g, fixed for every layer and head; below 0: as trained
  std::int64_t window = 0;      ///< tokens; 0: the evaluation window
  std::string context;          ///< outside, overlap; empty: as converted
  std::int64_t sinks = -1;      ///< first positions of sinks and swa+sinks
  std::vector<std::string> layers;  ///< a component for each layer; empty: `component` in all

  std::string text() const;     ///< "hybrid, window 16, g 0.3"
};

/// Which part of which attention map. Rows are queries, columns keys.
struct MapQuery {
  std::string prompt;           ///< empty: the first example of the first task
  std::int64_t layer = 0, head = 0;
  std::int64_t first = 0, last = 0;  ///< tokens [first, last) on both axes; last 0: to the end
  std::int64_t cells = 256;     ///< most cells on an axis; more tokens are pooled
};

struct DiagnoseOptions {
  std::vector<std::string> what;  ///< of diagnosis_parts(); empty: all
  std::vector<std::string> tasks = {"builtin:all"};
  std::string probe;              ///< one of the tasks' examples alone, by Exposure::task; empty: all
  std::string data;               ///< folder of task files
  std::int64_t limit = 24;        ///< examples a task (builtin: documents); 0: all
  std::int64_t window = 0;        ///< 0: the recipe's evaluation window
  std::int64_t max_distance = 256;  ///< of the synthetic probes: 4, 8, … up to this and to what the model takes
  std::int64_t probe_sequences = 12;  ///< sequences a distance
  std::int64_t rows = 4;          ///< texts that layers, heads and feature maps are measured on
  std::int64_t row_tokens = 512;  ///< most tokens of each
  MapQuery map;
  std::vector<WhatIf> what_if;    ///< empty: a sweep of windows and weights
  std::int64_t examples = 8;      ///< shown in each direction
  std::int64_t generated = 32;    ///< tokens of each continuation
};

/// exposure, distance, length, layers, knockout, maps, features, whatif, examples, verdict.
const std::vector<std::string>& diagnosis_parts();

// ---- what is found -------------------------------------------------------------------------------------------------

/// How much of a task can show linear attention at all: a scored token is exposed where some key lies outside its window.
struct Exposure {
  std::string task;               ///< "all": every task together
  std::int64_t examples = 0, exposed_examples = 0;  ///< exposed: with at least one exposed scored token
  std::int64_t tokens = 0, exposed_tokens = 0;      ///< scored ones
  bool scored = true;             ///< false: generated texts, whose exposure is that of their prompts
  Paired delta_h_swa, delta_la_na;  ///< accuracy of the exposed examples; n = 0: none
  Paired never_h_swa;               ///< of those never exposed: 0 by construction, unless linear attention overlaps the window
};

struct ComponentScore {
  std::string component;
  Estimate accuracy;              ///< 0..1
  Estimate loss;                  ///< nats a scored token of the right answer
};

/// Examples alike in distance or length.
struct Bin {
  double low = 0, high = 0;       ///< tokens, [low, high)
  std::int64_t examples = 0, exposed = 0;
  std::vector<ComponentScore> scores;
  Paired delta_h_swa, delta_la_na;  ///< of accuracy; p_holm over the bins of its profile
};

/// Scores of one probe or task by a length in tokens.
struct Profile {
  std::string name;               ///< "builtin:recall", "copying", "recall", "passkey", "arc_easy"
  std::string problem;            ///< why it could not be asked; empty: it was
  std::vector<Bin> bins;
};

/// One head (or layer: head −1, the mean over its heads).
struct HeadReport {
  std::int64_t layer = 0, head = -1;
  double share = 0;               ///< ‖(1−g)·LA‖ / (‖g·SWA‖ + ‖(1−g)·LA‖) over all tokens
  double exposed_share = 0;       ///< over tokens that have a key outside the window
  double linear_mass = 0;         ///< hybrid's attention mass on keys outside the window, mean over exposed tokens; 0 where
                                  ///< Diagnosis::no_mass says why, as are its peaks
  double teacher_mass = 0;        ///< the teacher's there
  double cosine_swa = 0, cosine_linear = 0, cosine_hybrid = 0;  ///< of outputs to the teacher's, mean over (exposed: linear) tokens
  std::int64_t peak_distance = 0;  ///< outside the window, where a key of the hybrid gets the most weight on average
  double peak_weight = 0;         ///< that weight, mean over the tokens that have such a key
  std::int64_t teacher_peak_distance = 0;
  double teacher_peak_weight = 0;
};

/// One branch taken out of one layer or head: a linear branch leaves the window at weight 1, a window branch linear
/// attention at weight 1 where it has a key.
struct KnockOut {
  std::int64_t layer = 0, head = -1;
  std::string branch;             ///< linear, window
  Estimate damage;                ///< rise of the loss, nats a scored token
  Paired accuracy;                ///< whole model − knocked out; p_holm over all knock-outs
};

struct MapView {
  std::string name;               ///< teacher, linear, hybrid
  std::vector<float> cells;       ///< [rows · columns] attention mass: summed over a cell's keys, averaged over its queries
  std::vector<double> entropy;    ///< nats, one a token of the prompt
  std::vector<double> divergence;  ///< KL(teacher ‖ this), nats, weights below 1e-12 taken as that; empty for the teacher
  double mean_entropy = 0, mean_divergence = 0;
};
struct AttentionMaps {
  std::int64_t layer = 0, head = 0, tokens = 0;
  std::int64_t first = 0, last = 0;  ///< tokens shown
  std::int64_t rows = 0;          ///< cells on an axis; the i-th holds tokens [first + i·n/rows, first + (i+1)·n/rows)
  std::vector<std::string> pieces;  ///< the prompt's tokens as text
  std::vector<MapView> views;
};

/// One learned map of one head.
struct FeatureReport {
  std::int64_t layer = 0, head = 0;
  std::string side;               ///< q, k
  double distance = 0;            ///< ‖W − W₀‖ / ‖W₀‖, W₀ the start; 0 without W
  double condition = 0;           ///< largest / smallest singular value of W; 0 without W
  double effective_rank = 0;      ///< of the features over tokens: exp of the entropy of their normalised singular values
  std::int64_t features = 0;
  double dead = 0;                ///< share of features that never reach a thousandth of their map's mean
  double saturated = 0;           ///< share of tokens on which one softmax feature exceeds 0.99, or exp is clamped
};
/// Σφφ of one layer's rows that have a key.
struct DenominatorReport {
  std::int64_t layer = 0;
  double least = 0;               ///< smallest magnitude
  double below_epsilon = 0;       ///< share below 1e-6
  std::int64_t rows = 0;
  double log_low = 0, log_high = 0;  ///< range of the histogram, log₁₀
  std::vector<std::int64_t> histogram;
};
struct FeatureHealth {
  std::vector<FeatureReport> maps;
  std::vector<DenominatorReport> denominators;
};

struct WhatIfResult {
  WhatIf setting;
  std::string text;
  ComponentScore all;             ///< over every example asked
  std::vector<ComponentScore> tasks;  ///< `component` is the task's name
  Paired against_stored;          ///< accuracy, against the stored setting on the same examples
  double seconds = 0;
};

struct TokenDifference {
  std::string text;
  double nats = 0;                ///< log p in hybrid − log p in swa, given what precedes; 0 for the first
};
struct ExampleReport {
  std::string task;
  std::int64_t doc_id = 0, gold = 0;
  bool exposed = false;
  bool hybrid_right = false, swa_right = false;
  std::vector<std::string> choices;  ///< their texts
  std::vector<ComponentScores> scores;
  std::vector<TokenDifference> prompt;
};
struct Continuation {
  std::string component, text;
};

/// One paragraph, and the numbers that carry it.
struct DiagnosisVerdict {
  std::string use;                ///< used, ignored, harmful, cannot tell
  std::string headline, paragraph;
  Paired delta_h_swa, delta_la_na;  ///< exposed examples, all tasks together
  std::int64_t examples = 0, exposed = 0;
  std::int64_t needed = 0;        ///< exposed examples that would decide; 0: decided, or nothing is exposed
};

struct Diagnosis {
  std::string name, model, checkpoint, recipe_hash;
  std::int64_t seed = 0, window = 0, layers = 0, heads = 0;
  std::vector<std::string> parts;  ///< measured
  std::vector<std::string> notes;  ///< what was left out or cut, and why
  std::string no_mass;             ///< why attention has no mass here and which figures that rules out; empty: it has
  double seconds = 0, cpu_seconds = 0;
  std::vector<ComponentScore> components;  ///< over every example asked
  std::vector<Exposure> exposure;
  std::vector<Profile> distance, length;
  std::vector<HeadReport> inside;  ///< every layer, then every head
  std::vector<KnockOut> knockouts;  ///< by falling damage
  std::optional<AttentionMaps> maps;
  std::optional<FeatureHealth> features;
  std::vector<WhatIfResult> what_if;
  std::vector<ExampleReport> examples;
  std::string prompt;
  std::vector<Continuation> continuations;
  std::optional<DiagnosisVerdict> verdict;
};

/// Measures the parts asked for. Blocks; any thread; one forward pass at a time. Throws InputError, Cancelled.
Diagnosis diagnose(const Subject& subject, const DiagnoseOptions& options, const Watch& watch = {});
/// A tried setting as an evaluation of the run it was tried on: RunReader::what_ifs. `window`: the diagnosis's.
Evaluated what_if_evaluation(const WhatIfResult& result, std::int64_t step, std::int64_t window);
using Diagnose = std::function<Diagnosis(const Subject&, const DiagnoseOptions&, const Watch&)>;

/// Everything that decides the result, 16 hexadecimal digits: names the cached file.
std::string diagnosis_key(const Subject& subject, const DiagnoseOptions& options);
std::string to_json(const Diagnosis& diagnosis);
Diagnosis diagnosis_from_json(const std::string& text, const std::string& place);  ///< throws InputError naming `place`
/// One self-contained HTML page; several checkpoints stand beside each other on one colour scale.
std::string diagnosis_html(const std::vector<Diagnosis>& diagnoses);
/// The same as tables: one CSV with a section a part.
std::string diagnosis_csv(const Diagnosis& diagnosis);

}  // namespace engine
