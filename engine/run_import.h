#pragma once
/// Taking over another store's runs. Inner header of run_writer.cpp and run_import.cpp.

#include <filesystem>

#include "engine/run_store.h"
#include "engine/sqlite.h"

namespace engine {

/// See RunWriter::take_over. `to` is this process's writing connection.
StoreImport import_runs(sqlite::Database& to, const std::filesystem::path& other,
                        const std::filesystem::path& runs);

}  // namespace engine
