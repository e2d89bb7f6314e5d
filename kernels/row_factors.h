#pragma once
/// From the sums of one row to the factors with which they enter its output, forward and backward: the one place that
/// knows every form of mixing, for processors and GPUs. The equations are in hybrid_attention.h.

#include "kernels/device_team.h"

namespace kernels {

struct MixingForm {
  bool softmax = false;     ///< there is a softmax branch
  bool shared = false;      ///< one denominator for both branches
  bool affine = false;      ///< shared: linear terms weigh 1 − s
  bool keeps_g = false;     ///< rows without a linear key give g·SWA
  bool normalised = true;   ///< LA is divided by Σ φφ
  float epsilon = 0;        ///< added to denominators of linear terms
  float least = 0;          ///< a smaller |Σ φφ| is set to it
};

/// e = Σ e^{a−m}, a = Σ φφ, e_dy = Σ e^{a−m} dy·v, a_dy = Σ φφ dy·v; the last two are read by the backward pass alone.
struct RowSums {
  float e = 1, a = 0, e_dy = 0, a_dy = 0;
};

struct RowFactors {
  float window = 0, linear = 0;            ///< y = window·Σ e v + linear·Σ φφ v
  float window_lost = 0, linear_lost = 0;  ///< de = window·(dy·v − window_lost), da = linear·(dy·v − linear_lost)
  float to_weight = 0;                     ///< dL/dg
  float to_maximum = 0;                    ///< shared: what the row's maximum m gets, over window
  bool clamped = false;
};

/// One denominator t = g·e + c·a + ε for y = (g·Σ e v + c·Σ φφ v)/t.
EQUIPOISE_DEVICE RowFactors shared_factors(const MixingForm& form, float g, bool has_linear, RowSums s) {
  RowFactors f;
  if (!has_linear) s.a = s.a_dy = 0;
  const float c = form.affine ? 1 - g : 1, unit = 1 / (g * s.e + c * s.a + form.epsilon);
  f.window = g * unit;
  f.window_lost = f.window * s.e_dy + c * unit * s.a_dy;  // dy·y
  // e_dy − e·dy·y, written so that it vanishes exactly without linear keys.
  f.to_maximum = unit * ((c * s.a + form.epsilon) * s.e_dy - c * s.e * s.a_dy);
  f.to_weight = unit * f.to_maximum;
  if (form.affine) f.to_weight -= unit * unit * ((g * s.e + form.epsilon) * s.a_dy - g * s.a * s.e_dy);
  if (!has_linear) return f;
  f.linear = c * unit;
  f.linear_lost = f.window_lost;
  return f;
}

/// The factors of a row whose weight is g; `has_linear`: its linear branch has a key.
EQUIPOISE_DEVICE RowFactors row_factors(const MixingForm& form, float g, bool has_linear, RowSums s) {
  if (form.shared) return shared_factors(form, g, has_linear, s);
  RowFactors f;
  const bool weighted = has_linear || form.keeps_g;
  const float weight = !form.softmax ? 0 : weighted ? g : 1;
  if (form.softmax) {
    f.window = weight / s.e;
    f.window_lost = s.e_dy / s.e;
    if (weighted) f.to_weight = f.window_lost;
  }
  if (!has_linear) return f;
  float denominator = 1;
  if (form.normalised) {
    denominator = s.a + form.epsilon;
    f.clamped = (denominator < 0 ? -denominator : denominator) < form.least;
    if (f.clamped) denominator = denominator < 0 ? -form.least : form.least;
    if (!f.clamped) f.linear_lost = s.a_dy / denominator;
  }
  f.linear = (1 - weight) / denominator;
  if (form.softmax) f.to_weight -= s.a_dy / denominator;
  return f;
}

}  // namespace kernels
