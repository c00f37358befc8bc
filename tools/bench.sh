#!/usr/bin/env bash
# Speed beside PyTorch (in a virtual environment of its own) on the five shapes, and each op beside
# its floor. Results: build/bench/results.json, build/bench/ops.json.
# Environment: BENCH_ROUNDS (5), BENCH_SHAPES ("toy small medium gpt2 gpt2long").
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/bench
cmake --build build/release --target bench_ops -j "${JOBS:-$(nproc)}"
build/release/bench_ops --benchmark_out=build/bench/ops.json --benchmark_out_format=json
python=$(tools/venv.sh)
# shellcheck disable=SC2086
python3 bench/peer/compare.py build/keel "$python" ${BENCH_SHAPES:-}
