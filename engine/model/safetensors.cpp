#include "engine/model/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/data/json.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_length_bytes = 8;
constexpr std::uint64_t k_max_header_bytes = 100'000'000;
constexpr int k_max_depth = 127;  // serde_json's recursion limit

struct DtypeRow {
  const char* name;
  int bits;
};
constexpr std::array<DtypeRow, 22> k_dtypes{{
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
}};

std::uint64_t little_endian_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

std::uint64_t unsigned_number(const JsonView& view) {
  if (!view.raw().is_number_unsigned()) view.fail("expected a whole number of at least 0");
  return view.raw().get<std::uint64_t>();
}

struct Description {
  SafetensorsEntry entry;
  std::uint64_t begin = 0, end = 0;
};

Description read_description(const std::string& name, const JsonView& view) {
  if (!view.is_object()) view.fail("expected an object with dtype, shape and data_offsets");
  Description out;
  out.entry.name = name;
  const std::string& word = view.at("dtype").as_string();
  const auto dtype = safetensors_dtype(word);
  if (!dtype) view.at("dtype").fail("unknown dtype \"" + word.substr(0, 40) + "\"");
  out.entry.dtype = *dtype;

  std::uint64_t elements = 1;
  const auto dimensions = view.at("shape").items();
  for (const auto& item : dimensions) {
    const std::uint64_t size = unsigned_number(item);
    if (__builtin_mul_overflow(elements, size, &elements))
      view.at("shape").fail("the product of the sizes overflows");
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      item.fail("size beyond 2^63");
    out.entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(bits_per_element(*dtype)),
                             &bits)) {
    view.at("shape").fail("the tensor's size overflows");
  }
  if (bits % 8 != 0) view.at("shape").fail("the tensor does not end on a whole byte");

  const auto offsets = view.at("data_offsets").items();
  if (offsets.size() != 2) view.at("data_offsets").fail("expected two offsets");
  out.begin = unsigned_number(offsets[0]);
  out.end = unsigned_number(offsets[1]);
  if (out.end < out.begin) view.at("data_offsets").fail("the end lies before the begin");
  if (out.end - out.begin != bits / 8) {
    view.at("data_offsets")
        .fail("spans " + std::to_string(out.end - out.begin) + " bytes, shape and dtype need " +
              std::to_string(bits / 8));
  }
  return out;
}

std::map<std::string, std::string> read_metadata(const JsonView& view) {
  std::map<std::string, std::string> out;
  if (view.is_null()) return out;
  for (const auto& [key, value] : view.fields()) out.emplace(key, value.as_string());
  return out;
}

}  // namespace

const char* to_string(SafetensorsDtype dtype) {
  return k_dtypes[static_cast<std::size_t>(dtype)].name;
}

int bits_per_element(SafetensorsDtype dtype) {
  return k_dtypes[static_cast<std::size_t>(dtype)].bits;
}

std::optional<SafetensorsDtype> safetensors_dtype(std::string_view text) {
  for (std::size_t i = 0; i < k_dtypes.size(); ++i) {
    if (text == k_dtypes[i].name) return static_cast<SafetensorsDtype>(i);
  }
  return std::nullopt;
}

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& source) {
  const auto fail = [&](const std::string& what) -> void {
    throw InputError(source + ": " + what);
  };
  if (file.size() < k_length_bytes) fail("not a safetensors file: shorter than 8 bytes");
  const std::uint64_t header_bytes = little_endian_u64(file.first(k_length_bytes));
  if (header_bytes > k_max_header_bytes) {
    fail("header length " + std::to_string(header_bytes) + ", expected at most 100000000");
  }
  if (header_bytes > file.size() - k_length_bytes) {
    fail("header length " + std::to_string(header_bytes) + " reaches beyond the end of the file (" +
         std::to_string(file.size()) + " bytes)");
  }
  const auto header_span = file.subspan(k_length_bytes, static_cast<std::size_t>(header_bytes));
  const auto data = file.subspan(k_length_bytes + static_cast<std::size_t>(header_bytes));
  const std::string_view text(reinterpret_cast<const char*>(header_span.data()),
                              header_span.size());
  // The JSON parser would skip a byte order mark.
  if (text.starts_with("\xEF\xBB\xBF")) fail("header begins with a byte order mark, expected {");

  const std::string header_source = source + ": header";
  const Json root =
      parse_json(text, header_source, {static_cast<std::size_t>(k_max_header_bytes), k_max_depth});
  SafetensorsHeader out;
  std::vector<Description> found;
  for (const auto& [name, view] : JsonView(root, header_source).fields()) {
    if (name == "__metadata__") {
      out.metadata = read_metadata(view);
    } else {
      found.push_back(read_description(name, view));
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Description& a, const Description& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  out.tensors.reserve(found.size());
  for (auto& item : found) {
    const std::string place = "tensor \"" + item.entry.name.substr(0, 200) + "\": ";
    if (item.begin != next) {
      fail(place + "begins at byte " + std::to_string(item.begin) + ", expected " +
           std::to_string(next) + " (tensors must neither overlap nor leave holes)");
    }
    if (item.end > data.size()) {
      fail(place + "ends at byte " + std::to_string(item.end) + ", the file holds " +
           std::to_string(data.size()) + " bytes of data");
    }
    next = item.end;
    item.entry.bytes = data.subspan(static_cast<std::size_t>(item.begin),
                                    static_cast<std::size_t>(item.end - item.begin));
    out.tensors.push_back(std::move(item.entry));
  }
  if (next != data.size()) {
    fail("the tensors end at byte " + std::to_string(next) + ", the file holds " +
         std::to_string(data.size()) + " bytes of data");
  }
  return out;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path), header_(parse_safetensors(file_.bytes(), path.string())) {
  index_.reserve(header_.tensors.size());
  for (std::size_t i = 0; i < header_.tensors.size(); ++i)
    index_.emplace(header_.tensors[i].name, i);
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &header_.tensors[it->second];
}

SafetensorsFolder::SafetensorsFolder(const std::filesystem::path& folder) {
  const auto single = folder / "model.safetensors";
  const auto index_path = folder / "model.safetensors.index.json";
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) {
    files_.emplace_back(single);
    for (const auto& entry : files_.front().tensors()) index_.emplace(entry.name, &entry);
  } else if (std::filesystem::exists(index_path, ignored)) {
    load_shards(folder, index_path);
  } else {
    throw InputError(folder.string() +
                     ": expected model.safetensors or model.safetensors.index.json");
  }
  for (const auto& [name, entry] : index_) total_bytes_ += entry->bytes.size();
}

void SafetensorsFolder::load_shards(const std::filesystem::path& folder,
                                    const std::filesystem::path& index_path) {
  const JsonDocument document = read_json(index_path);
  std::map<std::string, std::vector<std::string>> listed;  // shard -> tensors
  for (const auto& [name, view] : document.view().at("weight_map").fields()) {
    const std::string& shard = view.as_string();
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != shard.npos) {
      view.fail("expected the plain name of a file in the same folder");
    }
    listed[shard].push_back(name);
  }
  if (listed.empty()) document.view().at("weight_map").fail("lists no tensor");

  files_.reserve(listed.size());  // index_ points into the files
  for (const auto& [shard, names] : listed) {
    if (!std::filesystem::exists(folder / shard)) {
      throw InputError(index_path.string() + ": the shard " + shard + " is missing in the folder");
    }
    const SafetensorsFile& file = files_.emplace_back(folder / shard);
    for (const auto& name : names) {
      if (file.find(name) == nullptr) {
        throw InputError(file.path().string() + ": tensor \"" + name + "\" is missing; " +
                         index_path.filename().string() + " expects it here");
      }
    }
    for (const auto& entry : file.tensors()) {
      if (!index_.emplace(entry.name, &entry).second) {
        throw InputError(file.path().string() + ": tensor \"" + entry.name +
                         "\" stands in another shard, too");
      }
      if (!std::binary_search(names.begin(), names.end(), entry.name))
        unlisted_.push_back(entry.name);
    }
  }
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> out;
  out.reserve(index_.size());
  for (const auto& [name, entry] : index_) out.emplace_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

const SafetensorsEntry* SafetensorsFolder::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : it->second;
}

}  // namespace engine
