#pragma once
/// A task's records: found under the Hub's file names, read, filtered and merged.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/data/json.h"
#include "engine/data/tasks.h"

namespace engine {

/// One split's records.
struct TaskRecords {
  std::vector<std::filesystem::path> files;  ///< one, or all shards in order
  std::string split;
  std::vector<JsonDocument> rows;
};

/// Reads the first of `splits` that is there: at most `limit` records that the task keeps (-1:
/// all). Throws InputError where none is there (what was looked for), a shard is missing or a
/// record is damaged.
TaskRecords read_task_records(const TaskDefinition& task, const std::filesystem::path& data,
                              const std::vector<std::string>& splits, std::int64_t limit);

}  // namespace engine
