# Imported targets for PyTorch's wheel used as LibTorch. tools/setup unpacks it into EQUIPOISE_DEPS/torch, with the two
# CUDA libraries that libtorch_cpu.so itself needs below EQUIPOISE_DEPS/nvidia. A torch installed for Python serves too:
# -DEQUIPOISE_DEPS=<its site-packages folder>.
if(NOT EXISTS "${EQUIPOISE_DEPS}/torch/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch is missing below EQUIPOISE_DEPS=\"${EQUIPOISE_DEPS}\": run tools/start --no-run, "
                      "or configure with -DEQUIPOISE_TORCH=OFF for the parts without tensors")
endif()
set(torch_lib "${EQUIPOISE_DEPS}/torch/lib")
foreach(name torch_cpu c10)
  add_library(${name} SHARED IMPORTED)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${torch_lib}/lib${name}.so" IMPORTED_NO_SONAME ON)
endforeach()
# libtorch_libs links, libtorch also gives the headers: only the tensor part gets those. They are SYSTEM: the wheel's
# warnings are not ours. The libraries that libtorch_cpu.so needs lie in the wheels beside it.
add_library(libtorch_libs INTERFACE)
target_link_libraries(libtorch_libs INTERFACE torch_cpu c10)
target_link_options(libtorch_libs INTERFACE "-Wl,-rpath,${torch_lib}" "-Wl,-rpath-link,${torch_lib}"
                    "-Wl,-rpath-link,${EQUIPOISE_DEPS}/nvidia/cu13/lib" "-Wl,--allow-shlib-undefined")
add_library(libtorch INTERFACE)
target_include_directories(libtorch SYSTEM INTERFACE "${EQUIPOISE_DEPS}/torch/include"
                           "${EQUIPOISE_DEPS}/torch/include/torch/csrc/api/include")
target_link_libraries(libtorch INTERFACE libtorch_libs)
