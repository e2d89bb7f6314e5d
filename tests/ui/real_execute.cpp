#include "engine/execute.h"
#include "execute_for_test.h"

namespace test {
engine::Execute execute() { return engine::execute; }
bool scripted() { return false; }
}  // namespace test
