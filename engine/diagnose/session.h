#pragma once
/// What the torch parts of a diagnosis share: the two models, the forward passes, and weights read off attention.

#include <functional>
#include <optional>
#include <vector>

#include "engine/diagnose/cases.h"
#include "engine/diagnose/tables.h"
#include "engine/torch_api.h"
#include "engine/workspace.h"

namespace engine {

/// The model under diagnosis, the teacher it came from, and the conversion's maps at their start.
struct Patient {
  Workspace work;                      ///< with the checkpoint on top
  std::optional<Workspace> original;   ///< the model as it came, where training moved its weights themselves
  std::vector<Tensor> start_q, start_k;  ///< W₀ of each layer [H,D,F]; undefined without W
  std::int64_t window = 0;             ///< what exposure is counted by
  std::int64_t forced_window = 0;      ///< ForwardOptions::window; 0: the conversion's own

  const Model& model() const { return work.model; }
  const Model& teacher() const { return original ? original->model : work.model; }
  bool overlap() const { return work.conversion.overlap; }
  /// Weights on keys sum to one. Not where linear attention is divided by something else than Σφφ, or by nothing.
  bool has_mass() const { return work.conversion.linear.normaliser == Normaliser::sum; }
  ForwardOptions options(Component component) const;
};
/// `window` 0: the recipe's evaluation window, else the conversion's.
Patient open_patient(const Subject& subject, std::int64_t window);

/// Requests as rows that share what they have in common, ready to be scored again and again. Only chains: a layer's
/// attention can be replaced through ForwardOptions::attend.
class ChainScorer {
 public:
  ChainScorer(const std::vector<Case>& cases, const Chosen& chosen, const torch::Device& device);
  /// Outcomes in the order of `chosen`. Throws Cancelled.
  std::vector<Outcome> score(const Model& model, const Conversion* conversion, const ForwardOptions& options, const Watch& watch) const;

 private:
  struct Target {
    std::int64_t place, token;
    std::size_t request;
  };
  struct Batch {
    Tensor ids, keep;               ///< [B,T], [P] rising
    std::vector<std::int64_t> slot, token;  ///< of each target: row of the kept hidden states, id
    std::vector<std::size_t> request;
  };
  void add_batch(const std::vector<std::vector<std::int32_t>>& rows, const std::vector<std::vector<Target>>& asked, const torch::Device& device);

  const std::vector<Case>& cases_;
  Chosen chosen_;
  std::vector<std::size_t> first_request_;  ///< of each chosen case
  std::size_t requests_ = 0;
  std::vector<Batch> batches_;
};

/// The longest prompts of the cases, one a cluster, each cut to its last `tokens`: what attention is looked at on.
std::vector<std::vector<std::int32_t>> texts_of(const std::vector<Case>& cases, std::int64_t count, std::int64_t tokens);

/// Attention weights of every head of one sequence, by tiles of D keys: the T × T matrix never stands whole; memory O(H·T·D).
/// The teacher's are exp(q·k/√D − log Σ); attention over values that are unit vectors returns those of any other
/// component, whatever its mixing.
class WeightTiles {
 public:
  WeightTiles(const Heads& heads, const AttentionCall& call);
  std::int64_t length() const { return q_.size(2); }
  std::int64_t width() const { return k_.size(3); }
  Tensor tile(std::int64_t first) const;  ///< [H,T,keys] float32 onto the at most width() keys from `first` on

 private:
  Tensor scores(std::int64_t first) const;
  Tensor q_, k_, log_sums_;  ///< log_sums_ [H,T] for the teacher only
  AttentionCall call_;
};

std::vector<HeadReport> measure_inside(const Patient& p, const std::vector<std::vector<std::int32_t>>& texts, const Watch& watch);
std::vector<KnockOut> measure_knockouts(const Patient& p, const std::vector<Case>& cases, const Chosen& chosen,
                                        std::vector<std::string>& notes, const Watch& watch);
AttentionMaps measure_maps(const Patient& p, const std::vector<std::int32_t>& ids, const MapQuery& query, const Watch& watch);
FeatureHealth measure_features(const Patient& p, const std::vector<std::vector<std::int32_t>>& texts, const Watch& watch);
std::vector<WhatIfResult> measure_what_if(const Patient& p, const std::vector<Case>& cases, const std::vector<Outcome>& stored,
                                          const std::vector<WhatIf>& settings, const Watch& watch);
std::vector<ExampleReport> measure_examples(const Patient& p, const std::vector<Case>& cases, const Outcomes& outcomes,
                                            std::int64_t each_way, const Watch& watch);
std::vector<Continuation> measure_continuations(const Patient& p, const std::vector<std::int32_t>& ids, std::int64_t tokens, const Watch& watch);

}  // namespace engine
