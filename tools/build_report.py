#!/usr/bin/env python3
"""Prints what the build spent its time on, from Ninja's log: the ten slowest files and the sum.
usage: build_report.py BUILD/.ninja_log       A report, never a failure: the times are those of
this machine, and a file that ccache had takes none."""
import pathlib
import sys

SLOW_SECONDS = 12


def main(log):
    if not log.is_file():
        print(f"build report: no {log}")
        return 0
    took = {}
    for line in log.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) >= 4 and fields[3].endswith(".o"):
            took[fields[3]] = (int(fields[1]) - int(fields[0])) / 1000
    slowest = sorted(took.items(), key=lambda item: -item[1])[:10]
    print(f"{len(took)} files in {sum(took.values()):.0f} s (sum over the jobs); the slowest:")
    for name, seconds in slowest:
        mark = "  (more than a file should take)" if seconds > SLOW_SECONDS else ""
        print(f"  {seconds:6.1f} s  {name.split('.dir/')[-1]}{mark}")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
