#pragma once
/// Parquet files, read a batch of rows at a time. Arrow stays inside parquet_file.cpp.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "engine/data/json.h"

namespace engine {

/// Calls `visit` with every row as an object and the row's number, from 1, until it returns false. False where the
/// visitor stopped. The values are those that Hugging Face's datasets gives for a row: structs are objects, lists
/// arrays, maps arrays of [key, value], binary values text; times, decimals and other kinds are text as Arrow prints
/// them.
///
/// Memory is one batch (about 16 MiB of values or one row) beside the file's page in hand. Throws InputError, one
/// sentence with the file, for what is missing, damaged, encrypted, not UTF-8 or asks for unreasonable memory.
bool for_each_parquet_row(const std::filesystem::path& path,
                          const std::function<bool(Json&& row, std::int64_t number)>& visit);

/// The same for one column of strings; nothing else is read. Rows without a value are passed over. The view is valid
/// during the call only; it is UTF-8. Throws InputError naming the string columns there are where `column` is none.
bool for_each_parquet_text(const std::filesystem::path& path, const std::string& column,
                           const std::function<bool(std::string_view text, std::int64_t number)>& visit);

}  // namespace engine
