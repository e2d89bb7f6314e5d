#include "engine/interop/trained.h"

#include <algorithm>

#include "engine/interop/trained_files.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

torch::Dtype dtype_of(SafetensorsDtype dtype) {
  switch (dtype) {
    case SafetensorsDtype::F64:
      return torch::kFloat64;
    case SafetensorsDtype::F16:
      return torch::kFloat16;
    case SafetensorsDtype::BF16:
      return torch::kBFloat16;
    default:
      return torch::kFloat32;  // TrainedFiles lets only these four through
  }
}

}  // namespace

std::map<std::string, Tensor> read_trained(const std::filesystem::path& path) {
  const TrainedFiles files(path);
  std::map<std::string, Tensor> tensors;
  for (const auto& t : files.tensors()) {
    // Copied as bytes first: files may put tensors at odd offsets.
    Tensor bytes = torch::empty({static_cast<std::int64_t>(t.bytes.size())}, torch::kUInt8);
    std::copy_n(reinterpret_cast<const std::uint8_t*>(t.bytes.data()), t.bytes.size(),
                bytes.data_ptr<std::uint8_t>());
    tensors[t.name] = bytes.view(dtype_of(t.dtype)).view(t.shape).to(torch::kFloat32);
  }
  return tensors;
}

}  // namespace engine
