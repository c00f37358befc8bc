#!/usr/bin/env bash
# Trains a transformer of about 1M parameters on the King James Bible, lets it write, and makes
# its report; then finds how far the learning rate can go in three recipes on the same text. The last
# line printed is the path of that report.
# Environment: DEMO_STEPS (steps of training; the default takes about two minutes on two cores).
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${DEMO_STEPS:-2000}
keel=build/keel
text=build/data/kjv.txt

# One verse a line with its reference in front: "Ge1:1 In the beginning ...".
if [ ! -s "$text" ]; then
  mkdir -p build/data
  bible -f gen1:1-rev99:99 </dev/null >"$text.part"
  mv "$text.part" "$text"
fi

# A folder under build that is not there yet.
fresh() {
  local path=build/$1 number=2
  while [ -e "$path" ]; do
    path=build/$1-$number
    number=$((number + 1))
  done
  echo "$path"
}

run=$(fresh demo-run)
"$keel" train configs/tiny.toml --out "$run" --set data.kind=text --set "data.path=$PWD/$text" \
  --set "train.steps=$steps" --set "schedule.warmup=$((steps / 20))" --set optim.lr=3e-3

for prompt in "Ge1:1 In the beginning" "Mt5:3 Blessed are" "Ps23:1 The LORD"; do
  printf '\n--- %s\n' "$prompt"
  "$keel" generate "$run" -p "$prompt" -n 240 --temp 0.8 --top-k 40 --seed 1
  echo
done

"$keel" report "$run" -o "$run/report.html"
printf '\nThe report opens in any browser, without a network:\n%s\n' "$PWD/$run/report.html"

printf '\nHow far can the learning rate go? Three recipes, five rates, three seeds: a few minutes.\n'
"$keel" frontier recipes/demo-frontier.toml --out "$PWD/$(fresh demo-frontier)"
