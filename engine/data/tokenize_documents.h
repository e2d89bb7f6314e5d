#pragma once
/// A corpus through the tokenizer on several threads, in its own order.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace engine {

class Tokenizer;

/// Some documents that follow each other.
struct TokenBlock {
  std::vector<std::int32_t> tokens;   ///< of all its documents, with the tokenizer's special tokens
  std::vector<std::uint64_t> ends;    ///< of each document in `tokens`
  std::vector<std::uint64_t> hashes;  ///< XXH3 of each document's text
};

/// Reads the documents of `path` (text_source.h) on the calling thread, encodes them on `threads` others (0: one per
/// core) and calls `take` on the calling thread with block after block, in the documents' order, whatever the number of
/// threads. Memory is a few blocks of about 1 MiB of text (or one document) a thread. Throws what reading throws,
/// InputError naming the document that the tokenizer refuses, Cancelled where `stop` said so.
void tokenize_documents(const std::filesystem::path& path, const std::string& text_field, const Tokenizer& tokenizer,
                        int threads, const std::function<bool()>& stop,
                        const std::function<void(const TokenBlock&)>& take);

}  // namespace engine
