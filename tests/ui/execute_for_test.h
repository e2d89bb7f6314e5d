#pragma once
/// The Execute that a window test runs with. Chosen when the test is linked: scripted_execute.cpp
/// or real_execute.cpp.

#include "engine/session.h"

namespace test {

engine::Execute execute();
/// Whether its numbers are made up (and its speed known).
bool scripted();

}  // namespace test
