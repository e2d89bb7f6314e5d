#include "engine/data/text_source.h"

#include <algorithm>
#include <span>

#include "engine/data/json.h"
#include "engine/data/mapped_file.h"
#include "engine/data/parquet_file.h"
#include "engine/data/records.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_end_of_text = "<|endoftext|>";
constexpr std::size_t k_min_document_bytes = 2000;
constexpr std::size_t k_window_bytes = std::size_t{64} << 20;

bool is_source(const fs::path& file) {
  return file.extension() == ".txt" || record_format(file) != RecordFormat::none;
}

using Visit = std::function<bool(std::string_view)>;

bool visit_json_lines(const fs::path& path, const std::string& field, const Visit& visit) {
  bool going = true;
  for_each_record(path, [&](JsonDocument&& document) {
    const JsonView record = document.view();
    const auto text = record.raw().find(field);
    if (text != record.raw().end() && text->is_null()) return true;
    if (text == record.raw().end() || !text->is_string()) {
      std::string names;
      for (const auto& [key, value] : record.raw().items()) {
        if (value.is_string() && names.size() < 200)
          names += (names.empty() ? "\"" : ", \"") + key + "\"";
      }
      record.fail(
          "expected a string in the field \"" + field + "\"" +
          (names.empty() ? "; the record has no string field" : "; string fields here: " + names));
    }
    const auto& value = text->get_ref<const std::string&>();
    return going = value.empty() || visit(value);
  });
  return going;
}

bool visit_parquet(const fs::path& path, const std::string& field, const Visit& visit) {
  return for_each_parquet_text(
      path, field, [&](std::string_view text, std::int64_t) { return text.empty() || visit(text); });
}

std::string_view without_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// One text file, front to back. What is behind the reader is given back to the system, so that a
/// file larger than memory does not fill it.
class TextFile {
 public:
  TextFile(const fs::path& path, const Visit& visit) : file_(path), text_(file_.text()), visit_(visit) {
    file_.advise_sequential();
  }

  bool run() {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    return text_.substr(0, k_window_bytes).find(k_end_of_text) != text_.npos ? marked() : paragraphs();
  }

 private:
  /// Gives the document in [begin, end), trimmed; nothing for blank ones. Cuts are at ASCII
  /// characters, so checking document by document finds every ill-formed byte.
  bool give(std::size_t begin, std::size_t end) {
    const std::string_view text = text_.substr(begin, end - begin);
    if (const auto bad = first_invalid_utf8(text)) {
      const std::string_view all = file_.text();
      const auto byte = static_cast<std::size_t>(text.data() - all.data()) + *bad;
      const auto line =
          std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(byte), '\n') + 1;
      throw InputError(file_.path().string() + ":" + std::to_string(line) +
                       ": invalid UTF-8 at byte " + std::to_string(byte));
    }
    const std::string_view document = without_space(text);
    const bool more = document.empty() || visit_(document);
    if (end - released_ >= k_window_bytes) {
      release_pages(std::as_bytes(std::span(text_.substr(released_, end - released_))));
      released_ = end;
    }
    return more;
  }

  bool marked() {
    for (std::size_t at = 0; at < text_.size();) {
      const auto end = std::min(text_.find(k_end_of_text, at), text_.size());
      if (!give(at, end)) return false;
      at = end + k_end_of_text.size();
    }
    return true;
  }

  bool paragraphs() {
    std::size_t document = 0;  // begin of the open document
    for (std::size_t at = 0; at < text_.size();) {
      const auto end = std::min(text_.find('\n', at), text_.size());
      const bool blank = without_space(text_.substr(at, end - at)).empty();
      if (blank && at - document >= k_min_document_bytes) {
        if (!give(document, at)) return false;
        document = at;
      }
      at = end + 1;
    }
    return give(document, text_.size());
  }

  MappedFile file_;
  std::string_view text_;
  const Visit& visit_;
  std::size_t released_ = 0;
};

bool visit_file(const fs::path& file, const std::string& field, const Visit& visit) {
  switch (record_format(file)) {
    case RecordFormat::parquet:
      return visit_parquet(file, field, visit);
    case RecordFormat::json_lines:
      return visit_json_lines(file, field, visit);
    case RecordFormat::none:
      break;
  }
  return TextFile(file, visit).run();
}

}  // namespace

std::vector<fs::path> text_files(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) throw InputError(path.string() + ": no such file or folder");
  if (!fs::is_directory(status)) {
    if (!is_source(path))
      throw InputError(path.string() +
                       ": expected .txt, .jsonl, .jsonl.gz, .jsonl.zst or .parquet");
    return {path};
  }
  std::vector<fs::path> out;
  try {
    for (auto it = fs::recursive_directory_iterator(path); it != fs::recursive_directory_iterator();
         ++it) {
      const std::string name = it->path().filename().string();
      if (name.starts_with('.')) {
        if (it->is_directory(error)) it.disable_recursion_pending();
        continue;
      }
      if (!it->is_regular_file(error)) continue;
      if (is_source(it->path())) out.push_back(it->path());
    }
  } catch (const fs::filesystem_error& problem) {
    throw InputError(path.string() + ": cannot list the folder: " + problem.code().message());
  }
  if (out.empty())
    throw InputError(path.string() +
                     ": no .txt, .jsonl, .jsonl.gz, .jsonl.zst or .parquet file in the folder");
  std::sort(out.begin(), out.end());
  return out;
}

void for_each_document(const fs::path& path, const std::string& text_field,
                       const std::function<bool(std::string_view)>& visit) {
  bool any = false;
  const Visit counting = [&](std::string_view text) {
    any = true;
    return visit(text);
  };
  for (const auto& file : text_files(path)) {
    if (!visit_file(file, text_field, counting)) return;
  }
  if (!any) throw InputError(path.string() + ": holds no document");
}

}  // namespace engine
