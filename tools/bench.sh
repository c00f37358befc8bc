#!/usr/bin/env bash
# Speed: keel and PyTorch alternately on the five shapes of configs/bench, then every op beside its
# floor. Leaves build/bench/results.json and build/bench/ops.json. Takes about an hour on two quiet
# cores; arguments choose shapes (toy small medium gpt2 gpt2long). Environment: BENCH_ROUNDS (5).
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/bench
cmake --build build/release --target bench_ops -j "${JOBS:-$(nproc)}"
python=$(tools/venv.sh)
python3 bench/peer/compare.py build/keel "$python" "$@"
build/release/bench_ops --benchmark_out=build/bench/ops.json --benchmark_out_format=json
