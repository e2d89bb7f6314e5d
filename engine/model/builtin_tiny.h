#pragma once
/// The embedded base model: a Hugging Face folder whose files are part of the program.

#include <filesystem>

namespace engine {

/// A folder with config.json, model.safetensors and tokenizer.json of builtin:tiny. Unpacked once into a private
/// temporary folder of this process, which is removed at its end. Thread-safe. Throws std::system_error where no
/// temporary file can be written.
std::filesystem::path builtin_tiny_folder();

}  // namespace engine
