#!/usr/bin/env bash
# Static checks: layout, includes, sizes, every header alone, clang-tidy, and the slowest compiles.
# All of them run; the exit status says whether one failed. Environment: JOBS, PRESET (release).
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
out=build/${PRESET:-release}
failed=()

part() {
  local name=$1
  shift
  printf -- '-- %s\n' "$name"
  "$@" || failed+=("$name")
}

sources() { git ls-files 'src/*' 'tests/*' 'bench/*' 'fuzz/*' | grep -E "\.($1)\$"; }

layout() { sources 'h|cc|cu|cuh' | xargs clang-format-14 --dry-run -Werror; }

# A header that needs another one says so itself. CUDA's own headers (.cuh) are compiled by nvcc.
headers_alone() {
  sources h | xargs -P "$jobs" -I{} \
    g++ -std=c++20 -fsyntax-only -Wall -Wextra -march=native -Isrc -Itests \
    -DKEEL_PROGRAM='"keel"' -DKEEL_SOURCE_DIR='"."' \
    -include {} -x c++ /dev/null
}

# Without precompiled headers and batches, so that a file that does not include what it uses is an error.
tidy() {
  cmake --preset "$(basename "$out")" -B build/tidy -DKEEL_PCH=OFF -DKEEL_BATCH=OFF >/dev/null || return 1
  git ls-files 'src/*.cc' | grep -v '^src/backend/cuda/' |
    xargs -P "$jobs" -n 4 clang-tidy --quiet -p build/tidy 2>/dev/null
}

part "layout (clang-format 14)" layout
part "includes" python3 tools/check_includes.py
part "sizes" python3 tools/check_sizes.py
part "headers compile alone" headers_alone
part "clang-tidy" tidy
part "slowest compiles" python3 tools/build_report.py "$out/.ninja_log"

if [ ${#failed[@]} -gt 0 ]; then
  printf 'check: FAILED: %s\n' "${failed[@]}"
  exit 1
fi
echo "check: all passed"
