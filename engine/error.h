#pragma once
/// The engine's one exception for what a user handed in.

#include <stdexcept>
#include <string>

namespace engine {

/// A user's input (file, folder, setting) is bad. The text names the file, the place in it and what
/// was expected, in one sentence fit for a message box or standard error. Programs end with exit
/// code 1.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thrown where a run was asked to stop and has kept what it could.
struct Cancelled {};

}  // namespace engine
