#pragma once
/// Small Parquet files for tests. Arrow stays inside parquet_writer.cpp.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// `type`: null, bool, int8, int64, uint64, float, double, string, large_string, binary, words (dictionary of strings),
/// date, timestamp, decimal, strings (list), large_strings, numbers (list of int64), choices (struct of lists text,
/// label), turns (list of structs role, text), map (string to int64). `json`: the column's values as a JSON array.
struct ParquetColumn {
  std::string name, type, json;
};

/// `codec`: none, zstd, snappy, gzip. Aborts with a message where Arrow refuses.
void write_parquet(const std::filesystem::path& path, const std::vector<ParquetColumn>& columns,
                   const std::string& codec = "zstd", std::int64_t rows_a_group = 1000);
