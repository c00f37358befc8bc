#!/usr/bin/env bash
# Builds with tests and runs them. Without arguments: everything that needs neither PyPI nor much
# time. --all: also the tests labelled "long" and those that ask PyTorch (tests/peer).
# Environment: PRESET (release), JOBS, CTEST_JOBS (2). Leaves build/test-summary.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${PRESET:-release}
out=build/$preset
summary=build/test-summary.txt
mkdir -p build
rm -f "$summary"

# The sanitizers know nothing of OpenMP's own barriers inside oneDNN.
export TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp ${TSAN_OPTIONS:-}"
cmake --preset "$preset" -DKEEL_TESTS=ON >build/configure.log || { cat build/configure.log; exit 1; }
sed -n '/Evenkeel/,$p' build/configure.log
cmake --build "$out" -j "${JOBS:-$(nproc)}"

labels=(-LE long)
if [ "${1:-}" = --all ]; then
  labels=()
  KEEL_ORACLE_PYTHON=$(tools/venv.sh)
  export KEEL_ORACLE_PYTHON
fi
status=0
ctest --test-dir "$out" "${labels[@]}" --output-on-failure --no-tests=error \
  -j "${CTEST_JOBS:-2}" | tee build/test.log || status=$?
sed -n '/tests passed,/,$p' build/test.log >"$summary"

if [ "${1:-}" = --all ]; then
  for script in tests/peer/*.py; do
    [ -e "$script" ] || continue
    echo "== $script"
    if "$KEEL_ORACLE_PYTHON" "$script" "$PWD/build/keel"; then
      echo "peer test passed: $script" >>"$summary"
    else
      echo "peer test FAILED: $script" >>"$summary"
      status=1
    fi
  done
  echo
  cat "$summary"
fi
exit "$status"
