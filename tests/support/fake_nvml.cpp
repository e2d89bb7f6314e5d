/// Two GPUs as NVIDIA's management library tells of them; the second has no thermometer.

#include <cstring>

extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static int devices[2] = {0, 1};
  return *device = &devices[index], 0;
}
int nvmlDeviceGetName(void*, char* name, unsigned length) { return std::strncpy(name, "NVIDIA T", length), 0; }
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* total_free_used) {
  total_free_used[0] = 80ULL << 30, total_free_used[1] = 68ULL << 30, total_free_used[2] = 12ULL << 30;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* gpu_memory) {
  gpu_memory[0] = *static_cast<int*>(device) == 0 ? 43 : 0, gpu_memory[1] = 7;
  return 0;
}
int nvmlDeviceGetTemperature(void* device, int, unsigned* celsius) {
  *celsius = 61;
  return *static_cast<int*>(device) == 0 ? 0 : 3;
}
}
