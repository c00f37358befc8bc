#!/usr/bin/env python3
"""Checks the sizes of files and the number of open notes (the limits of a function's length are
clang-tidy's). usage: check_sizes.py [ROOT]; prints one line per violation and the median size."""
import pathlib
import statistics
import subprocess
import sys

LIMITS = {".h": 200, ".cuh": 200, ".cc": 800, ".cu": 800, ".py": 800, ".js": 800, ".sh": 800,
          ".cmake": 60}
FIXED = {"CMakeLists.txt": 150, "docs/map.md": 60, "docs/add_an_op.md": 80,
         "docs/add_a_technique.md": 80}
MAX_NOTES = 20


def main(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True)
    if listed.returncode != 0:
        print("sizes: not a git checkout, nothing to check")
        return 0
    problems, sizes, notes = [], [], 0
    for name in listed.stdout.split("\n"):
        path = root / name
        limit = FIXED.get(name, LIMITS.get(path.suffix))
        if limit is None or not path.is_file():
            continue
        text = path.read_text()
        lines = text.count("\n")
        if path.suffix in (".h", ".cc", ".cu", ".cuh"):
            sizes.append(lines)
            notes += text.count("TO" + "DO")
        if lines > limit:
            problems.append(f"{name}: {lines} lines, the limit is {limit}")
    if notes > MAX_NOTES:
        problems.append(f"{notes} open notes, the limit is {MAX_NOTES}")
    print("\n".join(problems) or f"sizes: {len(sizes)} sources, {sum(sizes)} lines, "
          f"median {statistics.median(sizes or [0]):.0f}, longest {max(sizes or [0])}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
