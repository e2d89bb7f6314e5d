#pragma once
/// Training text: a file or a folder as a sequence of documents.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// The files that make up `path`, in the order they are read: the file itself, or every .txt,
/// .jsonl, .jsonl.gz, .jsonl.zst, .parquet (and .json.gz, .json.zst with one record a line) below
/// the folder, sorted by path; hidden files and other kinds are passed over. Throws InputError where
/// the path is missing, of another kind, or a folder without such files.
std::vector<std::filesystem::path> text_files(const std::filesystem::path& path);

/// Calls `visit` with every document, file by file, front to back, until it returns false; what lies
/// behind is then not read. The view is valid during the call only; it is UTF-8 and not empty.
///
/// JSON Lines and Parquet: the record's `text_field` is the document; of Parquet only that column is
/// read. Blank lines and empty or null texts are passed over. Text: cut at every <|endoftext|> where
/// one stands in the file's first 64 MiB, else at blank lines, with paragraphs joined (a blank line
/// between them) until a document has at least 2,000 bytes. White space around a document is dropped.
///
/// Memory is one line, one batch of Parquet rows, or one document and 64 MiB of a text file. Throws
/// InputError "file:line: what" for invalid UTF-8, broken JSON, a missing or non-string field
/// (naming the fields there are), damaged compression or Parquet, lines above 64 MiB; and where
/// there is no document at all.
void for_each_document(const std::filesystem::path& path, const std::string& text_field,
                       const std::function<bool(std::string_view)>& visit);

}  // namespace engine
