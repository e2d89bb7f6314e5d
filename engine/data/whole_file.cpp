#include "engine/data/whole_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "engine/error.h"

namespace engine {

namespace fs = std::filesystem;

WholeFile::WholeFile(const fs::path& path) : path_(path) {
  static std::atomic<unsigned> count{0};
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  part_ = path.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".part";
  fd_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("made");
}

WholeFile::~WholeFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(part_.c_str());
}

void WholeFile::fail(const char* what) const {
  throw InputError(part_.string() + ": cannot be " + what + ": " + std::strerror(errno));
}

void WholeFile::write(const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::write(fd_, at, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("written");
    at += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void WholeFile::write_at(std::size_t offset, const void* data, std::size_t bytes) {
  if (::pwrite(fd_, data, bytes, static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes)) fail("written");
}

std::size_t WholeFile::read_at(std::size_t offset, void* data, std::size_t bytes) {
  char* to = static_cast<char*>(data);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count = ::pread(fd_, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void WholeFile::publish() {
  if (::fsync(fd_) != 0) fail("written");
  if (::rename(part_.c_str(), path_.c_str()) != 0) fail("renamed");
  ::close(fd_);
  fd_ = -1;
  const int folder = ::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

void write_whole(const fs::path& path, std::string_view text) {
  try {
    WholeFile file(path);
    file.write(text.data(), text.size());
    file.publish();
  } catch (const InputError&) {
  }
}

}  // namespace engine
