#include "engine/model/builtin_tiny.h"

#include <stdlib.h>

#include <cerrno>
#include <fstream>
#include <span>
#include <string>
#include <system_error>

// The files of resources/tiny, put into the object file by the assembler.
#define EMBED(symbol, file)                                   \
  __asm__(".section .rodata\n.balign 64\n" #symbol ":\n.incbin \"" EQUIPOISE_TINY_DIR "/" file "\"\n" #symbol \
          "_end:\n.byte 0\n.previous\n");                     \
  extern "C" const char symbol[], symbol##_end[];

EMBED(equipoise_tiny_config, "config.json")
EMBED(equipoise_tiny_weights, "model.safetensors")
EMBED(equipoise_tiny_tokenizer, "tokenizer.json")
EMBED(equipoise_tiny_tokenizer_config, "tokenizer_config.json")

namespace engine {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "equipoise-tiny-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
    write("config.json", equipoise_tiny_config, equipoise_tiny_config_end);
    write("model.safetensors", equipoise_tiny_weights, equipoise_tiny_weights_end);
    write("tokenizer.json", equipoise_tiny_tokenizer, equipoise_tiny_tokenizer_end);
    write("tokenizer_config.json", equipoise_tiny_tokenizer_config, equipoise_tiny_tokenizer_config_end);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  void write(const char* name, const char* begin, const char* end) const {
    std::ofstream out(path_ / name, std::ios::binary);
    out.write(begin, end - begin);
    if (!out.flush()) throw std::system_error(errno, std::generic_category(), (path_ / name).string());
  }
  std::filesystem::path path_;
};

}  // namespace

std::filesystem::path builtin_tiny_folder() {
  static const TemporaryFolder folder;
  return folder.path();
}

}  // namespace engine
