#!/usr/bin/env bash
# Builds the fuzz targets with clang, address and undefined-behaviour sanitizers in build/fuzz and
# runs each (or those named) for FUZZ_SECONDS (600). What is found lies in build/fuzz/findings: a
# file there belongs into fuzz/corpus once it is understood. What the fuzzer has learnt stays in
# build/fuzz/corpus. usage: tools/fuzz.sh [csv|json|safetensors|manifest|tfevents]...
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-600}
[ $# -gt 0 ] || set -- safetensors manifest json csv tfevents

# The first clang++ that has libFuzzer and the sanitizers with it.
find_clang() {
  local c
  for c in ${KEEL_CLANG:-} clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14 clang++; do
    command -v "$c" >/dev/null || continue
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
      "$c" -x c++ - -fsanitize=fuzzer,address,undefined -o /dev/null 2>/dev/null && echo "$c" && return
  done
  echo "fuzz: needs clang with libFuzzer; on Debian: apt-get install clang libclang-rt-dev" >&2
  return 1
}

clang=$(find_clang)
cmake --preset fuzz -DCMAKE_CXX_COMPILER="$clang" >build/fuzz-configure.log ||
  { cat build/fuzz-configure.log; exit 1; }
cmake --build build/fuzz -j "${JOBS:-$(nproc)}" --target "${@/#/fuzz_}"

mkdir -p build/fuzz/findings
status=0
for name in "$@"; do
  mkdir -p "build/fuzz/corpus/$name"
  log=build/fuzz/$name.log
  echo "fuzz: $name for $seconds s, log in $log"
  "build/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -max_len=16384 \
    -dict="fuzz/$name.dict" -artifact_prefix="build/fuzz/findings/$name-" -print_final_stats=1 \
    "build/fuzz/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1 || status=$?
  grep -E '^stat::number_of_executed_units|^Done|ERROR|does not hold' "$log" | sed "s/^/  $name: /" || true
done
if [ -n "$(ls build/fuzz/findings)" ]; then
  echo "fuzz: FINDINGS: $(echo build/fuzz/findings/*)"
  exit 1
fi
exit "$status"
