#include <fcntl.h>
#include <unistd.h>

#include "engine/data/records.h"
#include "engine/error.h"
#include "tests/fuzz/target.h"

namespace {

/// One file in memory for the whole process; its name tells how it is compressed.
class Scratch {
 public:
  explicit Scratch(const char* ending) {
    const char* shared = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    path_ = std::string(shared) + "/equipoise-fuzz-" + std::to_string(::getpid()) + ending;
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd_ >= 0);
  }
  ~Scratch() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& hold(std::string_view bytes) {
    FUZZ_CHECK(::ftruncate(fd_, 0) == 0);
    FUZZ_CHECK(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return path_;
  }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace

std::vector<std::string> fuzz::seeds() {
  using namespace std::string_literals;
  return {
      "{\"text\":\"a\"}\n{\"text\":\"b\\u00e9\",\"n\":[1,2.5,null]}\r\n\n{\"text\":\"\"}", "{}\n", "",
      // {"text":"hi"} compressed by gzip and by zstd
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x49\xad\x28\x51\xb2\x52\xca\xc8\x54\xaa\xe5\x02\x00\xb1\x1b\x15\xba\x0e\x00\x00\x00"s,
      "\x28\xb5\x2f\xfd\x20\x0eq\x00\x00{\"text\":\"hi\"}\n"s};
}

std::vector<std::string> fuzz::words() {
  using namespace std::string_literals;
  return {"{",
          "}",
          "\"text\"",
          "\n",
          "\r\n",
          "[[[[",
          "]]]]",
          "1e999",
          "\\ud800",
          "null",
          "\xef\xbb\xbf",
          "\x1f\x8b\x08\x00"s,
          "\x28\xb5\x2f\xfd"s};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Scratch plain(".jsonl"), gzip(".jsonl.gz"), zstd(".jsonl.zst");
  const auto bytes = fuzz::text_of(data, size);
  Scratch& file = bytes.starts_with("\x1f\x8b") ? gzip : bytes.starts_with("\x28\xb5") ? zstd : plain;
  try {
    engine::for_each_record(file.hold(bytes), [](engine::JsonDocument&& record) {
      FUZZ_CHECK(record.view().is_object());
      return true;
    });
  } catch (const engine::InputError&) {
  }
  return 0;
}
