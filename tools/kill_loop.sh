#!/usr/bin/env bash
# 1,000 kills at random instants of tiny runs, and 200 SIGTERMs over all phases; prints the tables
# of docs/reliability.md. usage: tools/kill_loop.sh [KILLS [TERMS]]
set -euo pipefail
cd "$(dirname "$0")/.."
python3 tools/kill_loop.py build/keel --kills "${1:-1000}"
python3 tools/kill_loop.py build/keel --signal TERM --kills "${2:-200}"
