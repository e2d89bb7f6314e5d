# Imported targets for Arrow and Parquet out of pyarrow's wheel, which tools/setup unpacks into EQUIPOISE_DEPS/pyarrow.
# A pyarrow of the same version installed for Python serves too: -DEQUIPOISE_DEPS=<its site-packages folder>.
set(arrow_version 26.0)
set(arrow_abi 2600)
set(arrow_dir "${EQUIPOISE_DEPS}/pyarrow")
if(NOT EXISTS "${arrow_dir}/libparquet.so.${arrow_abi}" OR NOT EXISTS "${arrow_dir}/include/parquet/arrow/reader.h")
  message(FATAL_ERROR "Arrow ${arrow_version} is missing below EQUIPOISE_DEPS=\"${EQUIPOISE_DEPS}\": "
                      "run tools/start --no-run, which adds it")
endif()
foreach(name arrow parquet)
  add_library(${name} SHARED IMPORTED)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${arrow_dir}/lib${name}.so.${arrow_abi}"
                        IMPORTED_SONAME "lib${name}.so.${arrow_abi}")
endforeach()
# arrow_libs links (libparquet finds libarrow beside itself), arrow_headers gives the headers. They are SYSTEM: the
# wheel's warnings are not ours.
add_library(arrow_libs INTERFACE)
target_link_libraries(arrow_libs INTERFACE parquet arrow)
target_link_options(arrow_libs INTERFACE "-Wl,-rpath,${arrow_dir}")
add_library(arrow_headers INTERFACE)
target_include_directories(arrow_headers SYSTEM INTERFACE "${arrow_dir}/include")
