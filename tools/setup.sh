#!/usr/bin/env bash
# Installs what is missing of the Debian or Ubuntu packages that Evenkeel is built from, and says
# what and why. When all is there it asks nobody, needs no network and takes a few milliseconds.
# usage: tools/setup.sh [build|demo|test|check|bench|oracle]...
# Without a group: build, demo and test.
set -euo pipefail

packages() {
  case "$1" in
    build) cat <<'LIST'
g++                 C++20 compiler
cmake               configures the build
ninja-build         runs the build
pkg-config          finds libraries
libdnnl-dev         oneDNN: matrix products on the CPU
libcli11-dev        command line
libtomlplusplus-dev configuration files
nlohmann-json3-dev  JSON
libfmt-dev          text
libsqlite3-dev      metrics of a run
libxxhash-dev       checksums of checkpoints
libzstd-dev         compressed data
libboost-math-dev   distribution functions of the laboratory's statistics
libjs-dygraphs      charts of the report page
ccache              builds again in seconds
lld                 links fast
LIST
      ;;
    demo) cat <<'LIST'
bible-kjv           the text that the demo trains on
LIST
      ;;
    test) cat <<'LIST'
libgtest-dev        test programs
python3             checks of includes and documents
LIST
      ;;
    check) cat <<'LIST'
clang-format-14     layout of the sources (pinned: each version formats differently)
clang-tidy          static checks
LIST
      ;;
    bench) cat <<'LIST'
libbenchmark-dev    times of single ops
LIST
      ;;
    oracle) cat <<'LIST'
python3-venv        a place of its own for PyTorch, the oracle of test-all and bench
LIST
      ;;
    *) echo "setup: unknown group \"$1\" (known: build demo test check bench oracle)" >&2; exit 2 ;;
  esac
}

[ $# -gt 0 ] || set -- build demo test
wanted=$(for group in "$@"; do packages "$group"; done)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian or Ubuntu system; the build needs the equivalents of:" >&2
  echo "$wanted" | sed 's/^/  /' >&2
  exit 0
fi

installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
  sed -n 's/^installed //p' | tr '\n' ' ') "
missing=()
while read -r package reason; do
  [[ $installed == *" $package "* ]] && continue
  missing+=("$package")
  printf 'setup: %-19s is missing: %s\n' "$package" "$reason"
done <<<"$wanted"
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: needs root or sudo; as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
echo "setup: apt-get install --no-install-recommends ${missing[*]}"
if ! { "${root[@]}" apt-get update -qq &&
       "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
  echo "setup: could not install: ${missing[*]} (is the network reachable?)" >&2
  exit 1
fi
