#pragma once
/// Reading and writing the safetensors format, by the rules of its reference library (safetensors
/// 0.8, safetensors/src/tensor.rs), with two that its format text asks for and that library lets
/// through: duplicate keys are refused, and so is a tensor written as an array instead of an
/// object.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/data/mapped_file.h"

namespace engine {

/// In the library's order (rising alignment), which the writer sorts by.
enum class SafetensorsDtype {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};
const char* to_string(SafetensorsDtype dtype);  ///< "BF16"
std::optional<SafetensorsDtype> safetensors_dtype(
    std::string_view text);  ///< nothing for an unknown word
int bits_per_element(SafetensorsDtype dtype);

/// One tensor as the header describes it. `bytes` points into the mapped file: row-major,
/// little-endian.
struct SafetensorsEntry {
  std::string name;
  SafetensorsDtype dtype = SafetensorsDtype::F32;
  std::vector<std::int64_t> shape;  ///< empty: a scalar; the product fits std::size_t
  std::span<const std::byte> bytes;
};

/// What a header says: tensors in file order and the string-to-string `__metadata__`.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Checks a whole file image: 8-byte little-endian header length of at most 100,000,000; JSON;
/// known dtypes; offsets contiguous from 0 without hole or overlap; each span as large as shape and
/// dtype say (no product may overflow); the last one ends where the file ends. Throws InputError
/// "<source>: <tensor or place>: <what>". The entries refer to `file`.
SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& source);

/// An open file. Immutable after construction; any thread may read. Throws InputError.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<SafetensorsEntry>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const SafetensorsEntry* find(std::string_view name) const;  ///< nullptr where absent

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

/// The weights of a Hugging Face folder: `model.safetensors`, or the shards named by
/// `model.safetensors.index.json` where there is no such file.
class SafetensorsFolder {
 public:
  /// Throws InputError where neither exists, a shard is missing or damaged, a shard name is not a
  /// plain file name, a listed tensor is absent from its shard, or a tensor stands in two shards.
  explicit SafetensorsFolder(const std::filesystem::path& folder);

  const std::vector<SafetensorsFile>& files() const { return files_; }
  std::size_t tensor_count() const { return index_.size(); }
  std::vector<std::string> names() const;                     ///< sorted
  const SafetensorsEntry* find(std::string_view name) const;  ///< nullptr where absent
  const std::vector<std::string>& unlisted() const {
    return unlisted_;
  }  ///< in a shard, not in the index; readable
  std::uint64_t total_bytes() const { return total_bytes_; }  ///< of all tensors

 private:
  void load_shards(const std::filesystem::path& folder, const std::filesystem::path& index_path);

  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string_view, const SafetensorsEntry*> index_;
  std::vector<std::string> unlisted_;
  std::uint64_t total_bytes_ = 0;
};

/// A tensor to be written. `bytes` is called once, in file order; what it returns must stay valid
/// until the next call and have the size that shape and dtype say. So a tensor can be fetched from
/// a device only when its turn comes.
struct SafetensorsSource {
  std::string name;
  SafetensorsDtype dtype = SafetensorsDtype::F32;
  std::vector<std::int64_t> shape;
  std::function<std::span<const std::byte>()> bytes;
};

/// Writes a file as the reference library lays it out: tensors by falling alignment, then name;
/// header padded with spaces to a multiple of 8. Atomic and durable: a temporary file in the same
/// folder is written, synced and renamed over `path`, then the folder is synced; on failure the old
/// file stays and the temporary one goes. Throws InputError for duplicate names or wrong sizes,
/// std::system_error where the disk refuses.
void write_safetensors(const std::filesystem::path& path, std::vector<SafetensorsSource> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace engine
