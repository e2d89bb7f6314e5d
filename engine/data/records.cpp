#include "engine/data/records.h"

#include <string>

#include "engine/data/line_reader.h"
#include "engine/data/parquet_file.h"
#include "engine/error.h"

namespace engine {
namespace {

void for_each_line(const std::filesystem::path& file, const std::function<bool(JsonDocument&&)>& visit) {
  LineReader reader(file);
  std::string_view line;
  while (reader.next(line)) {
    if (reader.line_number() == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.find_first_not_of(" \t") == line.npos) continue;
    JsonDocument document = parse_json_document(line, reader.place());
    if (!document.root->is_object()) document.view().fail("expected one JSON object a line");
    if (!visit(std::move(document))) return;
  }
}

}  // namespace

RecordFormat record_format(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  if (name.ends_with(".parquet")) return RecordFormat::parquet;
  for (const char* end : {".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz", ".json.zst"})
    if (name.ends_with(end)) return RecordFormat::json_lines;
  return RecordFormat::none;
}

void for_each_record(const std::filesystem::path& file, const std::function<bool(JsonDocument&&)>& visit) {
  switch (record_format(file)) {
    case RecordFormat::json_lines:
      for_each_line(file, visit);
      return;
    case RecordFormat::parquet:
      for_each_parquet_row(file, [&](Json&& row, std::int64_t number) {
        return visit({std::make_unique<const Json>(std::move(row)), file.string() + ": row " + std::to_string(number)});
      });
      return;
    case RecordFormat::none:
      throw InputError(file.string() + ": expected .jsonl, .jsonl.gz, .jsonl.zst or .parquet");
  }
}

}  // namespace engine
