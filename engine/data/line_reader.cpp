#include "engine/data/line_reader.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <zlib.h>
#include <zstd.h>

#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_block_bytes = std::size_t{1} << 18;

}  // namespace

/// Where bytes come from; read() gives 0 at the end.
struct LineReader::Stream {
  std::string name;
  std::FILE* file = nullptr;
  gzFile gz = nullptr;
  ZSTD_DStream* zstd = nullptr;
  std::vector<char> packed;
  ZSTD_inBuffer input{nullptr, 0, 0};
  std::size_t frame_left = 0;  // zstd: not 0 inside a frame

  explicit Stream(const std::filesystem::path& path) : name(path.string()) {
    const std::string extension = path.extension().string();
    if (extension == ".gz") {
      gz = gzopen(path.c_str(), "rb");
      if (gz != nullptr) gzbuffer(gz, k_block_bytes);
    } else {
      file = std::fopen(path.c_str(), "rbe");
    }
    if (gz == nullptr && file == nullptr)
      throw InputError(name + ": cannot open: " + std::strerror(errno));
    if (extension == ".zst") {
      zstd = ZSTD_createDStream();
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 27);
      packed.resize(k_block_bytes);
    }
  }
  ~Stream() {
    if (gz != nullptr) gzclose(gz);
    if (file != nullptr) std::fclose(file);
    ZSTD_freeDStream(zstd);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::size_t read(char* to, std::size_t size) {
    if (gz != nullptr) return read_gz(to, size);
    return zstd != nullptr ? read_zstd(to, size) : read_file(to, size);
  }

 private:
  std::size_t read_file(char* to, std::size_t size) {
    const std::size_t count = std::fread(to, 1, size, file);
    if (count == 0 && std::ferror(file) != 0)
      throw InputError(name + ": cannot read: " + std::strerror(errno));
    return count;
  }
  std::size_t read_gz(char* to, std::size_t size) {
    const int count = gzread(gz, to, static_cast<unsigned>(size));
    int code = Z_OK;
    const char* text = gzerror(gz, &code);
    if (count < 0 || code == Z_BUF_ERROR || code == Z_DATA_ERROR) {
      throw InputError(name + ": damaged or truncated gzip data: " + text);
    }
    return static_cast<std::size_t>(count);
  }
  std::size_t read_zstd(char* to, std::size_t size) {
    ZSTD_outBuffer output{to, size, 0};
    while (output.pos == 0) {
      if (input.pos == input.size) {
        input = {packed.data(), read_file(packed.data(), packed.size()), 0};
        if (input.size == 0) {
          if (frame_left != 0) throw InputError(name + ": truncated zstd data");
          return 0;
        }
      }
      frame_left = ZSTD_decompressStream(zstd, &output, &input);
      if (ZSTD_isError(frame_left)) {
        throw InputError(name + ": damaged zstd data: " + ZSTD_getErrorName(frame_left));
      }
    }
    return output.pos;
  }
};

LineReader::LineReader(const std::filesystem::path& path, std::size_t max_line_bytes)
    : path_(path), max_line_bytes_(max_line_bytes), stream_(std::make_unique<Stream>(path)) {}

LineReader::~LineReader() = default;

std::string LineReader::place() const { return path_.string() + ":" + std::to_string(line_); }

bool LineReader::fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t old = buffer_.size();
  if (old > max_line_bytes_) {
    ++line_;
    throw InputError(place() + ": line of more than " + std::to_string(max_line_bytes_) + " bytes");
  }
  buffer_.resize(old + k_block_bytes);
  const std::size_t count = stream_->read(buffer_.data() + old, k_block_bytes);
  buffer_.resize(old + count);
  ended_ = count == 0;
  return count > 0;
}

bool LineReader::next(std::string_view& line) {
  std::size_t end = buffer_.find('\n', searched_);
  while (end == buffer_.npos) {
    searched_ = buffer_.size();
    if (ended_ || !fill()) break;
    end = buffer_.find('\n', searched_);
  }
  const bool closed = end != buffer_.npos;
  if (!closed) end = buffer_.size();
  if (!closed && begin_ == end) return false;
  line = std::string_view(buffer_).substr(begin_, end - begin_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  begin_ = searched_ = closed ? end + 1 : end;
  ++line_;
  return true;
}

}  // namespace engine
