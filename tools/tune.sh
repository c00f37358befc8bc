#!/usr/bin/env bash
# Measures how the products of the presets are best cut and writes the committed table,
# src/backend/cpu/gemm_table.cc. Takes a few minutes; run it on a quiet machine. The table decides
# bits, so a new one is committed as a change of numerics.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --build build/release --target tune_gemm -j "${JOBS:-$(nproc)}"
build/release/tune_gemm configs/bench/*.toml configs/tiny.toml >build/gemm_table.cc
mv build/gemm_table.cc src/backend/cpu/gemm_table.cc
git --no-pager diff --stat -- src/backend/cpu/gemm_table.cc
