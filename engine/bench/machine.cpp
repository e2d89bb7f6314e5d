#include <fstream>
#include <thread>

#include <sys/utsname.h>

#include "engine/bench.h"

namespace engine {

std::string machine_name() {
  utsname system{};
  uname(&system);
  std::string processor = system.machine;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t first = line.find_first_not_of(" \t", line.find(':') + 1);
    if (first != std::string::npos) processor = line.substr(first);
    break;
  }
  return std::string(system.nodename) + ", " + processor + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores";
}

}  // namespace engine
