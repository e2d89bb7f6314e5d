#pragma once
/// The `decoder` of a tokenizer.json: token texts back to text.

#include <string>
#include <vector>

#include "engine/data/json.h"
#include "engine/data/normalizer.h"

namespace engine {

/// A list of steps, sequences flattened. Immutable, thread-safe.
class TokenDecoder {
 public:
  TokenDecoder() = default;  ///< joins the tokens with spaces
  explicit TokenDecoder(
      const JsonView& view);  ///< throws InputError for an unknown type or a wrong field
  std::string decode(std::vector<std::string> tokens) const;
  std::string bytes_of(const std::string& token) const;  ///< what one token inside a text stands for; may be no UTF-8

 private:
  enum class Kind { byte_level, replace, byte_fallback, fuse, strip, metaspace };
  struct Step {
    Kind kind = Kind::fuse;
    std::vector<Pattern> pattern;      ///< replace: one
    std::string content;               ///< replace; strip and metaspace: the character
    std::int64_t start = 0, stop = 0;  ///< strip: at most so many
    bool drop_first = false;           ///< metaspace: those of the first token vanish
  };
  void add(const JsonView& view, int depth);
  static void apply(const Step& step, std::vector<std::string>& tokens);

  std::vector<Step> steps_;
};

}  // namespace engine
