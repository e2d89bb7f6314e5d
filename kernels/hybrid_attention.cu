// The templates of hybrid_attention_launch.h on a GPU. f32 calls multiply in f32; bf16 calls on
// tensor cores, whose factors are rounded to tf32 (three bits more than bf16 has).

#include <string>
#include <vector>

#include "kernels/device.cuh"
#include "kernels/hybrid_attention_launch.h"

namespace kernels {
namespace {

using device::Index;

Status failure(const char* what, cudaError_t error) {
  if (error == cudaErrorMemoryAllocation) return device::no_memory();
  return {error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver
              ? StatusCode::no_device
              : StatusCode::unsupported,
          std::string("hybrid_attention_cuda: ") + what + ": " + cudaGetErrorString(error)};
}

template <class Team>
class CudaLauncher {
 public:
  explicit CudaLauncher(cudaStream_t stream) : stream_(stream) {
    int id = 0;
    error_ = cudaGetDevice(&id);
    auto attribute = [&](int& value, cudaDeviceAttr which) {
      if (error_ == cudaSuccess) error_ = cudaDeviceGetAttribute(&value, which, id);
    };
    attribute(shared_bytes_, cudaDevAttrMaxSharedMemoryPerBlockOptin);
    attribute(processors_, cudaDevAttrMultiProcessorCount);
  }
  ~CudaLauncher() {
    for (void* memory : memory_) cudaFreeAsync(memory, stream_);  // behind what was launched
  }
  CudaLauncher(const CudaLauncher&) = delete;
  CudaLauncher& operator=(const CudaLauncher&) = delete;

  Status ready() const { return error_ == cudaSuccess ? Status{} : failure("the device", error_); }
  Index shared_floats() const { return shared_bytes_ / 4; }
  int processors() const { return processors_; }
  float* floats(Index n) { return static_cast<float*>(reserve(n * 4)); }
  double* doubles(Index n) { return static_cast<double*>(reserve(n * 8)); }

  template <class Kernel>
  Status launch(const Kernel& kernel, Index items, const device::Places& places) {
    const auto run = device::run_items<Team, Kernel>;
    const auto bytes = static_cast<std::size_t>(places.shared_floats) * 4;
    cudaError_t error = cudaFuncSetAttribute(run, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(bytes));
    if (error != cudaSuccess) return failure("shared memory", error);
    int resident = 0;
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, run, device::k_block_threads,
                                                          bytes);
    if (error != cudaSuccess) return failure("occupancy", error);
    const Index most = static_cast<Index>(std::max(1, resident)) * processors_;
    const auto blocks = static_cast<unsigned>(std::min(items, most));
    float* scratch = nullptr;
    if (places.scratch_floats > 0 && !(scratch = floats(blocks * places.scratch_floats)))
      return device::no_memory();
    run<<<blocks, device::k_block_threads, bytes, stream_>>>(kernel, items, scratch,
                                                             places.scratch_floats);
    error = cudaGetLastError();
    return error == cudaSuccess ? Status{} : failure("launch", error);
  }

  Status read(double* to, const double* from, Index n) {
    cudaError_t error =
        cudaMemcpyAsync(to, from, static_cast<std::size_t>(n) * 8, cudaMemcpyDeviceToHost, stream_);
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream_);
    return error == cudaSuccess ? Status{} : failure("reading counts", error);
  }

 private:
  void* reserve(Index bytes) {
    void* memory = nullptr;
    if (cudaMallocAsync(&memory, static_cast<std::size_t>(bytes), stream_) != cudaSuccess) {
      cudaGetLastError();  // the next call must not find it
      return nullptr;
    }
    memory_.push_back(memory);
    return memory;
  }

  cudaStream_t stream_;
  cudaError_t error_ = cudaSuccess;
  int shared_bytes_ = 0, processors_ = 0;
  std::vector<void*> memory_;
};

template <bool tensor, class Run>
Status on_device(void* stream, Run run) {
  try {
    CudaLauncher<device::BlockTeam<tensor>> launcher(static_cast<cudaStream_t>(stream));
    if (const Status status = launcher.ready(); !status.ok()) return status;
    return run(launcher);
  } catch (const std::bad_alloc&) {
    return device::no_memory();
  }
}

template <class Run>
Status on_device(const HybridAttention& call, void* stream, Run run) {
  if (Status status = taken_by("hybrid_attention_cuda", call); !status.ok()) return status;
  if (call.linear_q)
    return {StatusCode::unsupported, "hybrid_attention_cuda: linear_q and linear_k are not taken"};
  return call.q.dtype == DType::bf16 ? on_device<true>(stream, run) : on_device<false>(stream, run);
}

}  // namespace

bool cuda_form_runs() {
  int id = 0, major = 0;
  if (cudaGetDevice(&id) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, id) == cudaSuccess)
    return major >= 8;
  cudaGetLastError();  // the next call must not find it
  return false;
}

Status hybrid_attention_cuda(const HybridAttention& call, HybridAttentionOut& out, void* stream) {
  if (Status status = check(call, out); !status.ok()) return status;
  return on_device(call, stream,
                   [&](auto& launcher) { return device::launch_forward(call, out, launcher); });
}

Status hybrid_attention_backward_cuda(const HybridAttention& call,
                                      HybridAttentionGradients& gradients, void* stream) {
  if (Status status = check(call, gradients); !status.ok()) return status;
  return on_device(call, stream, [&](auto& launcher) {
    return device::launch_backward(call, gradients, launcher);
  });
}

}  // namespace kernels
