#!/usr/bin/env bash
# Makes the virtual environment of the oracles (PyTorch and friends) once and prints its Python.
# usage: tools/venv.sh [FOLDER]       (default build/venv; KEEL_ORACLE_PYTHON overrides it)
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${KEEL_ORACLE_PYTHON:-}" ]; then
  echo "$KEEL_ORACLE_PYTHON"
  exit 0
fi
folder=${1:-$PWD/build/venv}
if [ ! -e "$folder/complete" ]; then
  python3 -c 'import ensurepip, venv' 2>/dev/null || tools/setup.sh oracle >&2
  rm -rf "$folder"
  echo "venv: installing torch numpy safetensors tensorboard into $folder" >&2
  python3 -m venv "$folder" >&2
  "$folder/bin/pip" install --quiet --disable-pip-version-check \
    torch numpy safetensors tensorboard >&2
  touch "$folder/complete"
fi
echo "$folder/bin/python"
