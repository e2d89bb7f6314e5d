#pragma once
/// Files of records: JSON Lines and Parquet alike as one JSON object after another.

#include <filesystem>
#include <functional>

#include "engine/data/json.h"

namespace engine {

enum class RecordFormat { none, json_lines, parquet };

/// By the file's name: .jsonl, .jsonl.gz, .jsonl.zst, .json.gz and .json.zst (one record a line), .parquet.
RecordFormat record_format(const std::filesystem::path& file);

/// Calls `visit` with every record of the file, front to back, until it returns false. Each is an object whose source
/// is its place, "file:line" or "file: row N" (both from 1), ready for messages; blank lines are passed over. Parquet
/// rows come as Hugging Face's datasets gives them (parquet_file.h).
///
/// Streamed: memory is one line or one batch of rows, and what lies behind the last record asked for is not read.
/// Throws InputError, one sentence with file and place, for a missing file, another kind of file, broken JSON, a line
/// that is no object or above 64 MiB, damaged compression, damaged Parquet.
void for_each_record(const std::filesystem::path& file, const std::function<bool(JsonDocument&&)>& visit);

}  // namespace engine
