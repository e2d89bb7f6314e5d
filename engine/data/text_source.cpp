#include "engine/data/text_source.h"

#include <algorithm>
#include <optional>

#include "engine/data/json.h"
#include "engine/data/line_reader.h"
#include "engine/data/mapped_file.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_end_of_text = "<|endoftext|>";
constexpr std::size_t k_min_document_bytes = 2000;

enum class Format { text, json_lines };

std::optional<Format> format_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".txt")) return Format::text;
  for (const char* end : {".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz", ".json.zst"}) {
    if (name.ends_with(end)) return Format::json_lines;
  }
  return std::nullopt;
}

[[noreturn]] void refuse_parquet(const fs::path& path) {
  throw InputError(
      path.string() +
      ": Parquet files cannot be read here; expected .txt, .jsonl, .jsonl.gz or .jsonl.zst");
}

using Visit = std::function<bool(std::string_view)>;

bool visit_json_lines(const fs::path& path, const std::string& field, const Visit& visit) {
  LineReader reader(path);
  std::string_view line;
  while (reader.next(line)) {
    if (reader.line_number() == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.find_first_not_of(" \t") == line.npos) continue;
    const JsonDocument document = parse_json_document(line, reader.place());
    const JsonView record = document.view();
    if (!record.is_object()) record.fail("expected one JSON object a line");
    const auto text = record.raw().find(field);
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
    if (!value.empty() && !visit(value)) return false;
  }
  return true;
}

std::string_view without_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// Gives one trimmed document; nothing for blank ones.
bool give(std::string_view text, const Visit& visit) {
  text = without_space(text);
  return text.empty() || visit(text);
}

bool visit_marked(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(k_end_of_text, at), text.size());
    if (!give(text.substr(at, end - at), visit)) return false;
    at = end + k_end_of_text.size();
  }
  return true;
}

bool visit_paragraphs(std::string_view text, const Visit& visit) {
  std::size_t document = 0;  // begin of the open document
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const bool blank = without_space(text.substr(at, end - at)).empty();
    if (blank && at - document >= k_min_document_bytes) {
      if (!give(text.substr(document, at - document), visit)) return false;
      document = at;
    }
    at = end + 1;
  }
  return give(text.substr(document), visit);
}

bool visit_text(const fs::path& path, const Visit& visit) {
  const MappedFile file(path);
  file.advise_sequential();
  std::string_view text = file.text();
  if (const auto bad = first_invalid_utf8(text)) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n') + 1;
    throw InputError(path.string() + ":" + std::to_string(line) + ": invalid UTF-8 at byte " +
                     std::to_string(*bad));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text.find(k_end_of_text) != text.npos ? visit_marked(text, visit)
                                               : visit_paragraphs(text, visit);
}

}  // namespace

std::vector<fs::path> text_files(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) throw InputError(path.string() + ": no such file or folder");
  if (!fs::is_directory(status)) {
    if (path.extension() == ".parquet") refuse_parquet(path);
    if (!format_of(path))
      throw InputError(path.string() + ": expected .txt, .jsonl, .jsonl.gz or .jsonl.zst");
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
      if (it->path().extension() == ".parquet") refuse_parquet(it->path());
      if (format_of(it->path())) out.push_back(it->path());
    }
  } catch (const fs::filesystem_error& problem) {
    throw InputError(path.string() + ": cannot list the folder: " + problem.code().message());
  }
  if (out.empty())
    throw InputError(path.string() +
                     ": no .txt, .jsonl, .jsonl.gz or .jsonl.zst file in the folder");
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
    const bool more = format_of(file) == Format::text
                          ? visit_text(file, counting)
                          : visit_json_lines(file, text_field, counting);
    if (!more) return;
  }
  if (!any) throw InputError(path.string() + ": holds no document");
}

}  // namespace engine
