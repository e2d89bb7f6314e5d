#include "engine/train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cinttypes>
#include <fstream>
#include <system_error>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/json.h"
#include "engine/data/mapped_file.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

std::string file_hash(const fs::path& path) {
  const MappedFile file(path);
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016" PRIx64, static_cast<std::uint64_t>(XXH3_64bits(file.bytes().data(), file.size())));
  return hex;
}

void write_synced(const fs::path& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), path.string());
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!ok) throw std::system_error(error, std::generic_category(), path.string());
}

void sync_folder(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

/// Doubles go as bit patterns: infinities are legal states and must come back equal.
Json bits(double v) { return std::to_string(std::bit_cast<std::uint64_t>(v)); }
double from_bits(const JsonView& v) {
  char* end = nullptr;
  const auto raw = std::strtoull(v.as_string().c_str(), &end, 10);
  if (*end != 0) v.fail("expected a bit pattern");
  return std::bit_cast<double>(static_cast<std::uint64_t>(raw));
}

Json state_json(const CheckpointData& d) {
  const StageState& s = d.state;
  return {{"format", 1}, {"recipe_hash", d.recipe_hash}, {"text", d.text_fingerprint},
          {"stage", s.stage}, {"step", s.step}, {"first_step", s.first_step},
          {"evaluated", s.evaluated}, {"finished", s.finished}, {"rate_factor", bits(s.rate_factor)},
          {"plateau_best", bits(s.plateau_best)}, {"plateau_bad", s.plateau_bad}, {"stop_best", bits(s.stop_best)},
          {"stop_bad", s.stop_bad}, {"best_step", s.best_step}};
}

void read_state(const fs::path& file, CheckpointData& d) {
  const JsonDocument document = read_json(file, k_config_limits);
  const JsonView v = document.view();
  if (v.at("format").as_integer() != 1) v.at("format").fail("made by a newer version; expected 1");
  StageState& s = d.state;
  d.recipe_hash = v.at("recipe_hash").as_string();
  d.text_fingerprint = v.string_or("text", "");
  s.stage = v.at("stage").as_integer(0);
  s.step = v.at("step").as_integer(0);
  s.first_step = v.at("first_step").as_integer(0);
  s.evaluated = v.at("evaluated").as_integer(-1);
  s.finished = v.at("finished").as_bool();
  s.rate_factor = from_bits(v.at("rate_factor"));
  s.plateau_best = from_bits(v.at("plateau_best"));
  s.plateau_bad = v.at("plateau_bad").as_integer(0);
  s.stop_best = from_bits(v.at("stop_best"));
  s.stop_bad = v.at("stop_bad").as_integer(0);
  s.best_step = v.at("best_step").as_integer(-1);
}

void check_finite(const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, t] : tensors)
    if (t.is_floating_point() && !t.isfinite().all().item<bool>())
      throw InputError("the tensor " + name + " is not finite; the checkpoint before it is kept");
}

}  // namespace

std::int64_t save_checkpoint(const fs::path& folder, const CheckpointData& data) {
  check_finite(data.trained);
  const fs::path half = folder.string() + ".part";
  fs::remove_all(half);
  fs::create_directories(half);
  try {
    write_tensors(half / "trained.safetensors", data.trained);
    if (!data.optimizer.empty()) write_tensors(half / "optimizer.safetensors", data.optimizer);
    write_synced(half / "state.json", state_json(data).dump(1));
    Json files = Json::object();
    std::int64_t total = 0;
    for (const auto& entry : fs::directory_iterator(half)) {
      const auto size = static_cast<std::int64_t>(entry.file_size());
      files[entry.path().filename().string()] = {{"bytes", size}, {"xxh3", file_hash(entry.path())}};
      total += size;
    }
    write_synced(half / "manifest.json", Json{{"format", 1}, {"files", files}}.dump(1));
    sync_folder(half);
    fs::remove_all(folder);
    fs::rename(half, folder);
    sync_folder(folder.parent_path());
    return total;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(half, ignored);
    throw;
  }
}

CheckpointData load_checkpoint(const fs::path& folder) {
  const JsonDocument manifest = read_json(folder / "manifest.json", k_config_limits);
  bool with_optimizer = false;
  for (const auto& [name, entry] : manifest.view().at("files").fields()) {
    const fs::path file = folder / fs::path(name).filename();
    if (!fs::exists(file) || static_cast<std::int64_t>(fs::file_size(file)) != entry.at("bytes").as_integer() ||
        file_hash(file) != entry.at("xxh3").as_string())
      throw InputError(file.string() + ": damaged; its size or checksum is not the manifest's");
    with_optimizer = with_optimizer || name == "optimizer.safetensors";
  }
  CheckpointData data;
  read_state(folder / "state.json", data);
  data.trained = read_tensors(folder / "trained.safetensors");
  if (with_optimizer) data.optimizer = read_tensors(folder / "optimizer.safetensors");
  return data;
}

}  // namespace engine
