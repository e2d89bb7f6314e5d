#pragma once
/// What the operators' checks of their arguments share.

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "kernels/status.h"
#include "kernels/view.h"

namespace kernels {

inline std::string shape(const std::array<std::int64_t, k_max_dims>& sizes, int dims) {
  std::string text = "[";
  for (int d = 0; d < dims; ++d) {
    if (d) text += ',';
    text += std::to_string(sizes[d]);
  }
  text += ']';
  return text;
}

/// Collects the first contradiction; its text begins with the operator's name.
class Checker {
 public:
  explicit Checker(const char* name) : operator_(name) {}

  template <class Pointer>
  void expect(const char* name, const BasicView<Pointer>& view, DType dtype,
              std::initializer_list<std::int64_t> sizes) {
    std::array<std::int64_t, k_max_dims> wanted{};
    std::copy(sizes.begin(), sizes.end(), wanted.begin());
    const int dims = static_cast<int>(sizes.size());
    if (!view) return fail(std::string(name) + " is absent");
    if (view.dims != dims || !std::equal(sizes.begin(), sizes.end(), view.sizes.begin()))
      fail(std::string(name) + " is " + shape(view.sizes, view.dims) + "; expected " +
           shape(wanted, dims));
    if (view.dtype != dtype) fail(std::string(name) + " has another dtype than expected");
  }
  void require(bool condition, const char* text) {
    if (!condition) fail(text);
  }
  Status status() const { return status_; }

 private:
  void fail(std::string text) {
    if (status_.ok()) status_ = {StatusCode::invalid, operator_ + ": " + std::move(text)};
  }
  std::string operator_;
  Status status_;
};

}  // namespace kernels
