#pragma once
/// What a model folder holds and whether it can be loaded, from config.json and the headers of its safetensors files
/// alone: no weight is read. No torch in this header.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/model/config.h"

namespace engine {

class SafetensorsFolder;

/// Every weight of a decoder by its Hugging Face name, with the shape that the configuration asks for; the head left
/// out where it is tied to the embedding.
std::map<std::string, std::vector<std::int64_t>> expected_tensors(const ModelConfig& config);

struct TensorReport {
  std::string name;
  std::vector<std::int64_t> shape;  ///< as stored; empty: a scalar
  std::string dtype;                ///< as stored: "BF16"
  std::uint64_t bytes = 0;
  std::string file;  ///< name of the file in the folder
};

struct LoadReport {
  std::string folder;
  ModelConfig config;
  std::string dtype;                  ///< of the weights that the model uses: "BF16", or "BF16 and F32"
  std::int64_t parameters = 0;        ///< elements that config.json asks for
  std::uint64_t bytes = 0;            ///< of all tensors in the files
  std::vector<std::string> files;     ///< names in the folder
  std::vector<TensorReport> tensors;  ///< all in the files, in the order of their names, numbers by value

  std::int64_t matched = 0;
  std::vector<std::string> missing;     ///< asked for by config.json, in no file
  std::vector<std::string> unexpected;  ///< in a file, no part of this architecture
  std::vector<std::string> ignored;  ///< in a file, known to be of no use (rotary buffers; the head where it is tied)
  struct Mismatch {
    std::string name;
    std::vector<std::int64_t> expected, found;
  };
  std::vector<Mismatch> misshaped;
  std::vector<std::string> unsupported;  ///< weights stored in a type that is no float16, bfloat16, float32 or float64

  double seconds = 0;  ///< what loading took; 0 where nothing was loaded

  bool complete() const { return missing.empty() && unexpected.empty() && misshaped.empty() && unsupported.empty(); }
  /// One sentence with counts and the first few names; empty where complete().
  std::string problem() const;
};

/// "[4096, 1024]"
std::string shape_text(const std::vector<std::int64_t>& shape);

/// Reads config.json and the headers of `folder`. Throws InputError where one of them cannot be read; a folder that
/// cannot be loaded for its tensors is told by the report. Any thread.
LoadReport make_load_report(const std::filesystem::path& folder);
/// The same for files that are open already.
LoadReport make_load_report(const std::filesystem::path& folder, const ModelConfig& config,
                            const SafetensorsFolder& files);

/// Loads the weights of a folder or builtin:tiny as a run does (engine/model/load.h) and lets them go again: the report
/// with `seconds` set. dtype and device as a recipe names them. Needs the tensor part. Throws InputError.
LoadReport timed_load(const std::string& model, const std::string& dtype, const std::string& device);

}  // namespace engine
