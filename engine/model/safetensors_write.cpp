#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/model/safetensors.h"

namespace engine {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw std::system_error(errno, std::generic_category(), path.string() + ": " + what);
}

/// A file that vanishes unless it is kept under its final name.
class PendingFile {
 public:
  explicit PendingFile(std::filesystem::path target) : target_(std::move(target)) {
    std::string name = target_.string() + ".XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    temporary_ = name;
    if (fd_ < 0) fail(target_, "cannot create");
    ::fchmod(fd_, 0644);  // mkostemp makes it private, which surprises on shared folders
  }
  ~PendingFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!kept_) ::unlink(temporary_.c_str());
  }
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t done = ::write(fd_, at, size);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail(target_, "cannot write");
      at += done;
      size -= static_cast<std::size_t>(done);
    }
  }
  void keep() {
    if (::fsync(fd_) != 0) fail(target_, "cannot sync");
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0) fail(target_, "cannot close");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(target_, "cannot rename");
    kept_ = true;
    sync_folder();
  }

 private:
  void sync_folder() const {
    const auto folder =
        target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail(folder, "cannot open");
    const int result = ::fsync(fd);
    const int reason = errno;
    ::close(fd);
    // Some file systems cannot sync a folder; they say so with EINVAL.
    if (result != 0 && reason != EINVAL) {
      errno = reason;
      fail(folder, "cannot sync");
    }
  }

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int fd_ = -1;
  bool kept_ = false;
};

std::uint64_t byte_size(const std::filesystem::path& path, const SafetensorsSource& tensor) {
  std::uint64_t bits = static_cast<std::uint64_t>(bits_per_element(tensor.dtype));
  bool good = true;
  for (const std::int64_t size : tensor.shape) {
    good =
        good && size >= 0 && !__builtin_mul_overflow(bits, static_cast<std::uint64_t>(size), &bits);
  }
  if (!good || bits % 8 != 0)
    throw InputError(path.string() + ": tensor \"" + tensor.name + "\": impossible shape");
  return bits / 8;
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string header_text(const std::filesystem::path& path,
                        const std::vector<SafetensorsSource>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::string out = "{";
  if (!metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) out += quoted(key) + ":" + quoted(value) + ",";
    out.back() = '}';
    out += ',';
  }
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    out += quoted(tensor.name) + ":{\"dtype\":\"" + to_string(tensor.dtype) + "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
      out += (i ? "," : "") + std::to_string(tensor.shape[i]);
    const std::uint64_t end = offset + byte_size(path, tensor);
    out += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]},";
    offset = end;
  }
  if (out.back() == ',') out.pop_back();
  out += '}';
  out.resize((out.size() + 7) / 8 * 8, ' ');
  return out;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::vector<SafetensorsSource> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](const SafetensorsSource& a, const SafetensorsSource& b) {
              return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
            });
  std::vector<std::string_view> names;
  for (const auto& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end() || std::binary_search(names.begin(), names.end(), "__metadata__")) {
    throw InputError(path.string() + ": tensor name \"" +
                     std::string(twice != names.end() ? *twice : "__metadata__") +
                     "\" cannot be used (twice)");
  }

  const std::string header = header_text(path, tensors, metadata);
  PendingFile file(path);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(header.size()) >> 8 * i);
  file.write(length, sizeof length);
  file.write(header.data(), header.size());
  for (const auto& tensor : tensors) {
    const auto bytes = tensor.bytes();
    if (bytes.size() != byte_size(path, tensor)) {
      throw InputError(path.string() + ": tensor \"" + tensor.name +
                       "\": " + std::to_string(bytes.size()) + " bytes, shape and dtype need " +
                       std::to_string(byte_size(path, tensor)));
    }
    file.write(bytes.data(), bytes.size());
  }
  file.keep();
}

}  // namespace engine
