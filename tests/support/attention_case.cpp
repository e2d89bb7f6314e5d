#include "tests/support/attention_case.h"

#include <random>
#include <type_traits>

namespace {

using kernels::DType;

/// Of an array of a case: q, k, v, y and their gradients are rows of heads, the rest are parameters.
bool is_rows(const std::string& name) {
  for (const char* rows : {"q", "k", "v", "out", "dout", "dq", "dk", "dv"})
    if (name == rows) return true;
  return false;
}
template <class T>
DType dtype_of(const std::string& name) {
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  return std::is_same_v<T, Half> && is_rows(name) ? DType::bf16 : DType::f32;
}

std::size_t bytes_of(DType dtype) { return dtype == DType::f64 ? 8 : dtype == DType::f32 ? 4 : 2; }

double read(const void* data, DType dtype, std::int64_t at) {
  if (dtype == DType::f64) return static_cast<const double*>(data)[at];
  if (dtype == DType::f32) return static_cast<const float*>(data)[at];
  return kernels::bf16_to_float(static_cast<const std::uint16_t*>(data)[at]);
}

void write(void* data, DType dtype, std::int64_t at, double value) {
  if (dtype == DType::f64)
    static_cast<double*>(data)[at] = value;
  else if (dtype == DType::f32)
    static_cast<float*>(data)[at] = static_cast<float>(value);
  else
    static_cast<std::uint16_t*>(data)[at] = kernels::float_to_bf16(static_cast<float>(value));
}

/// Calls visit(place in memory) for every element in row-major order.
template <class View, class Visit>
void each_element(const View& view, Visit visit) {
  auto size = view.sizes;
  for (int d = view.dims; d < 4; ++d) size[d] = 1;
  for (std::int64_t a = 0; a < size[0]; ++a)
    for (std::int64_t b = 0; b < size[1]; ++b)
      for (std::int64_t c = 0; c < size[2]; ++c)
        for (std::int64_t d = 0; d < size[3]; ++d)
          visit(a * view.strides[0] + b * view.strides[1] + c * view.strides[2] +
                d * view.strides[3]);
}

template <class Pointer>
kernels::BasicView<Pointer> view_of(Pointer data, kernels::DType dtype,
                                    const std::vector<std::int64_t>& shape, bool time_major) {
  kernels::BasicView<Pointer> view{data, dtype, static_cast<int>(shape.size()), {}, {}};
  std::int64_t stride = 1;
  for (int d = view.dims - 1; d >= 0; --d) {
    view.sizes[d] = shape[d];
    view.strides[d] = stride;
    stride *= shape[d];
  }
  if (time_major) {
    view.strides[2] = shape[1] * shape[3];
    view.strides[1] = shape[3];
  }
  return view;
}

}  // namespace

AttentionCase random_case(const CaseShape& s, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<double> normal;
  AttentionCase c;
  auto fill = [&](const std::string& name, std::vector<std::int64_t> shape, double spread) {
    std::int64_t count = 1;
    for (const auto size : shape) count *= size;
    auto& array = c.inputs[name] = {std::move(shape), std::vector<double>(count)};
    for (double& value : array.values) value = static_cast<float>(spread * normal(rng));
  };
  fill("q", {s.batch, s.heads, s.length, s.dim}, s.spread);
  fill("k", {s.batch, s.groups, s.length, s.dim}, s.spread);
  fill("v", {s.batch, s.groups, s.length, s.dim}, s.spread);
  fill("dout", {s.batch, s.heads, s.length, s.dim}, 1);
  fill("g", {s.heads}, 1);
  const std::int64_t map_dim = s.map_dim > 0 ? s.map_dim : s.dim;
  for (const char* name : {"Wq", "Wk"}) {
    if (!s.learned) break;
    fill(name, {s.heads, map_dim, s.columns}, 0.1);
    auto& w = c.inputs[name].values;
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t f = 0; f < s.columns; ++f) {
        double& value = w[(h * map_dim + f % map_dim) * s.columns + f];
        value = static_cast<float>(value + 1);
      }
  }
  for (const char* name : {"bq", "bk"})
    if (s.bias) fill(name, {s.heads, s.columns}, 0.3);
  if (s.map_dim > 0) {
    fill("lq", {s.batch, s.heads, s.length, s.map_dim}, s.spread);
    fill("lk", {s.batch, s.map_groups, s.length, s.map_dim}, s.spread);
  }
  fill("gate", {s.batch, s.heads, s.length}, 1);
  for (double& g : c.inputs["gate"].values) g = static_cast<float>(1 / (1 + std::exp(-g)));
  return c;
}

void vary(kernels::HybridAttention& call, int form) {
  call.affine = form % 2 == 1;
  call.empty_rows_keep_g = form % 4 >= 2;
  call.epsilon = form % 3 == 1 ? 0.25 : 0;
  call.normaliser = form % 5 == 2 ? kernels::Normaliser::none : kernels::Normaliser::sum;
}

std::vector<double> to_half(std::vector<double> values) {
  for (double& value : values)
    value = kernels::bf16_to_float(kernels::float_to_bf16(static_cast<float>(value)));
  return values;
}

AttentionCase rounded_to_half(AttentionCase c) {
  for (auto& [name, array] : c.inputs)
    if (is_rows(name)) array.values = to_half(array.values);
  return c;
}

template <class T>
kernels::View Bound<T>::input(const std::string& name, bool time_major) {
  const auto found = case_.inputs.find(name);
  if (found == case_.inputs.end()) return {};
  const auto& [shape, values] = found->second;
  const DType dtype = dtype_of<T>(name);
  auto& memory = memory_[name];
  memory.resize(values.size() * bytes_of(dtype));
  const auto view =
      view_of<const void*>(memory.data(), dtype, shape, time_major && shape.size() == 4);
  std::size_t next = 0;
  each_element(view, [&](std::int64_t at) { write(memory.data(), dtype, at, values[next++]); });
  return view;
}

template <class T>
kernels::OutView Bound<T>::output(const std::string& name, const Sizes& shape, bool time_major) {
  const DType dtype = dtype_of<T>(name);
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  auto& memory = memory_["result " + name];
  memory.resize(count * bytes_of(dtype));
  for (std::int64_t i = 0; i < count; ++i)
    write(memory.data(), dtype, i, std::numeric_limits<double>::quiet_NaN());
  return outputs_[name] =
             view_of<void*>(memory.data(), dtype, shape, time_major && shape.size() == 4);
}

template <class T>
Bound<T>::Bound(const AttentionCase& c, bool time_major) : call(c.call), case_(c) {
  call.q = input("q", time_major);
  call.k = input("k", time_major);
  call.v = input("v", time_major);
  call.query_map.weight = input("Wq", false);
  call.key_map.weight = input("Wk", false);
  call.query_map.bias = input("bq", false);
  call.key_map.bias = input("bk", false);
  call.logit = input("g", false);
  call.gate = input("gate", false);
  call.linear_q = input("lq", time_major);
  call.linear_k = input("lk", time_major);
  gradients.dy = input("dout", time_major);
  const auto& shape = c.inputs.at("q").shape;
  out.y = output("out", shape, time_major);
  window_norms.assign(shape[1], std::numeric_limits<double>::quiet_NaN());
  linear_norms = window_norms;
  out.window_norms = window_norms.data();
  out.linear_norms = linear_norms.data();
  auto gradient = [&](const char* name) {
    const auto found = c.inputs.find(name);
    if (found == c.inputs.end()) return kernels::OutView{};
    return output("d" + std::string(name), found->second.shape, time_major);
  };
  gradients.dq = gradient("q");
  gradients.dk = gradient("k");
  gradients.dv = gradient("v");
  gradients.dquery_weight = gradient("Wq");
  gradients.dkey_weight = gradient("Wk");
  gradients.dquery_bias = gradient("bq");
  gradients.dkey_bias = gradient("bk");
  gradients.dlogit = gradient("g");
  gradients.dgate = gradient("gate");
  gradients.dlinear_q = gradient("lq");
  gradients.dlinear_k = gradient("lk");
}

template <class T>
std::vector<double> Bound<T>::result(const std::string& name) const {
  const auto& view = outputs_.at(name);
  std::vector<double> values;
  each_element(view, [&](std::int64_t at) { values.push_back(read(view.data, view.dtype, at)); });
  return values;
}

template <class T>
std::vector<std::string> Bound<T>::gradient_names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : outputs_)
    if (name != "out") names.push_back(name);
  return names;
}

double rms_ratio(const std::vector<double>& found, const std::vector<double>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = found[i] - expected[i];
    error += difference * difference;
    size += expected[i] * expected[i];
  }
  if (!std::isfinite(error) || found.size() != expected.size())
    return std::numeric_limits<double>::infinity();
  return std::sqrt(size > 0 ? error / size : error);
}

template class Bound<float>;
template class Bound<double>;
template class Bound<Half>;
