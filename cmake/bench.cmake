# The program bench_ops from bench/*_bench.cc (Google Benchmark); built by `make bench` only.
find_package(benchmark QUIET)
file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*_bench.cc)
if(benchmark_FOUND AND bench_sources)
  add_executable(bench_ops EXCLUDE_FROM_ALL ${bench_sources})
  target_link_libraries(bench_ops PRIVATE keel_lab benchmark::benchmark benchmark::benchmark_main
    keel_warnings)
endif()

# `make tune` writes the table of measured GEMM cuts with this.
add_executable(tune_gemm EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/bench/tune_gemm.cc)
target_link_libraries(tune_gemm PRIVATE keel_train keel_warnings)
