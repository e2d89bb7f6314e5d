#include "engine/doctor.h"

#include <unistd.h>

#include <thread>

#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/run_store.h"
#include "engine/torch_api.h"

namespace engine {

std::vector<DoctorRow> doctor(const std::filesystem::path& store) {
  std::vector<DoctorRow> rows;
  rows.push_back({"equipoise", EQUIPOISE_VERSION, ""});
  rows.push_back({"LibTorch", TORCH_VERSION, "", true, true});
  rows.push_back({"processor", std::to_string(std::thread::hardware_concurrency()) + " threads, " + at::get_cpu_capability(), ""});
  const double gib = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30);
  rows.push_back({"memory", std::to_string(static_cast<int>(gib + 0.5)) + " GiB", ""});
  try {
    const auto device = choose_device("cuda");
    rows.push_back({"GPU", std::to_string(torch::cuda::device_count()) + " device(s), " + device.str(), ""});
  } catch (const InputError& e) {
    rows.push_back({"GPU", e.what(), "Runs on the processor. For a GPU: install NVIDIA's driver and unpack torch's NVIDIA wheels beside LibTorch.", false});
  }
  if (!std::filesystem::exists(store)) {
    rows.push_back({"store", store.string() + ": not made yet", "The first run makes it."});
  } else {
    try {
      const RunReader reader(store);
      const std::string state = reader.integrity();
      rows.push_back({"store", store.string() + ": " + state + ", " + std::to_string(reader.runs().size()) + " runs",
                      state == "ok" ? "" : "Copy the file away and start with another --store.", state == "ok", true});
    } catch (const StoreError& e) {
      rows.push_back({"store", e.what(), "Start with another --store.", false, true});
    }
  }
  return rows;
}

}  // namespace engine
