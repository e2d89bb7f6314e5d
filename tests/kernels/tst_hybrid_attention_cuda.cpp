/// The CUDA form against the reference, on a GPU; skips where there is none. The same templates run
/// without one in tst_hybrid_attention_device.

#include <cuda_runtime.h>

#include <QtTest>
#include <memory>

#include "tests/support/attention_case.h"

using namespace kernels;

namespace {

std::size_t element_size(DType dtype) {
  return dtype == DType::f64 ? 8 : dtype == DType::f32 ? 4 : dtype == DType::bf16 ? 2 : 1;
}

/// Copies of the memory behind views, on the GPU.
class DeviceMemory {
 public:
  ~DeviceMemory() {
    for (const auto& c : copies_) cudaFree(c.device);
  }
  /// The view's memory goes to the GPU and the view with it.
  template <class Pointer>
  void take(BasicView<Pointer>& view) {
    if (!view) return;
    std::int64_t last = 0;
    for (int d = 0; d < view.dims; ++d) last += (view.sizes[d] - 1) * view.strides[d];
    Copy c{const_cast<void*>(static_cast<const void*>(view.data)), nullptr,
           (static_cast<std::size_t>(last) + 1) * element_size(view.dtype)};
    cudaMalloc(&c.device, c.bytes);
    cudaMemcpy(c.device, c.host, c.bytes, cudaMemcpyHostToDevice);
    copies_.push_back(c);
    view.data = c.device;
  }
  double* take(std::vector<double>& values) {
    Copy c{values.data(), nullptr, values.size() * sizeof(double)};
    cudaMalloc(&c.device, c.bytes);
    copies_.push_back(c);
    return static_cast<double*>(c.device);
  }
  bool bring_back() const {
    for (const auto& c : copies_) cudaMemcpy(c.host, c.device, c.bytes, cudaMemcpyDeviceToHost);
    return cudaDeviceSynchronize() == cudaSuccess && cudaGetLastError() == cudaSuccess;
  }

 private:
  struct Copy {
    void *host, *device;
    std::size_t bytes;
  };
  std::vector<Copy> copies_;
};

template <class T>
QString run(Bound<T>& bound) {
  DeviceMemory memory;
  HybridAttention call = bound.call;
  HybridAttentionOut out = bound.out;
  HybridAttentionGradients g = bound.gradients;
  for (View* view : {&call.q, &call.k, &call.v, &call.query_map.weight, &call.key_map.weight,
                     &call.query_map.bias, &call.key_map.bias, &call.logit, &call.gate, &g.dy})
    memory.take(*view);
  for (OutView* view : {&out.y, &g.dq, &g.dk, &g.dv, &g.dquery_weight, &g.dkey_weight,
                        &g.dquery_bias, &g.dkey_bias, &g.dlogit, &g.dgate})
    memory.take(*view);
  out.window_norms = memory.take(bound.window_norms);
  out.linear_norms = memory.take(bound.linear_norms);
  for (const Status& s : {hybrid_attention_cuda(call, out, nullptr),
                          hybrid_attention_backward_cuda(call, g, nullptr)})
    if (!s.ok()) return s.text.c_str();
  bound.out.clamped_denominators = out.clamped_denominators;
  return memory.bring_back() ? "" : "the GPU reports an error";
}

template <class T>
QString disagreement(const AttentionCase& any) {
  constexpr bool half = std::is_same_v<T, Half>;
  const AttentionCase c = half ? rounded_to_half(any) : any;
  Bound<double> exact(c);
  Bound<T> found(c);
  for (const Status& s : {hybrid_attention_ref(exact.call, exact.out),
                          hybrid_attention_backward_ref(exact.call, exact.gradients)})
    if (!s.ok()) return s.text.c_str();
  QString text = run(found);
  auto compare = [&](const std::string& name, const std::string& of) {
    const auto expected = exact.result(name);
    const std::vector<double> zeros(expected.size());
    if (rms_ratio(expected, zeros) < 1e-12) return;
    const double rounding = rms_ratio(to_half(expected), expected);
    const double error = rms_ratio(found.result(name), expected);
    const bool rows = c.inputs.at(of).shape.size() == 4;
    if (!(error <= (!half ? 1e-5 : rows ? 2 * rounding : rounding)))
      text += QString("%1: %2 ").arg(name.c_str()).arg(error);
  };
  compare("out", "q");
  for (const std::string& name : exact.gradient_names()) compare(name, name.substr(1));
  return text;
}

}  // namespace

class TstHybridAttentionCuda : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
      QSKIP("no GPU: the same templates run in tst_hybrid_attention_device");
  }
  void cuda_equals_reference_data() {
    QTest::addColumn<int>("length");
    QTest::addColumn<int>("dim");
    QTest::addColumn<int>("component");
    for (int length : {1, 63, 64, 65, 1000})
      for (int dim : {20, 64, 128, 256})
        QTest::addRow("T %d D %d", length, dim)
            << length << dim << static_cast<int>(Component::hybrid);
    for (int c = static_cast<int>(Component::hybrid); c < static_cast<int>(Component::none); ++c)
      QTest::addRow("component %d", c) << 300 << 64 << c;
  }
  void cuda_equals_reference() {
    QFETCH(int, length);
    QFETCH(int, dim);
    QFETCH(int, component);
    AttentionCase c = random_case(
        {.batch = 2, .heads = 4, .groups = 2, .length = length, .dim = dim, .columns = dim / 2}, 3);
    c.call.component = static_cast<Component>(component);
    for (const Mixing mixing : {Mixing::fixed, Mixing::learned, Mixing::shared_denominator}) {
      c.call.mixing = mixing;
      QCOMPARE(disagreement<float>(c), QString());
      QCOMPARE(disagreement<Half>(c), QString());
    }
  }
};

QTEST_APPLESS_MAIN(TstHybridAttentionCuda)
#include "tst_hybrid_attention_cuda.moc"
