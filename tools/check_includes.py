#!/usr/bin/env python3
"""Checks includes: arrows between folders as CMakeLists.txt declares them, headers that no header
may include, and that each heavy third-party header has one source file that includes it.
usage: check_includes.py [ROOT]        prints one line per violation; exit status 1 if any"""
import pathlib
import re
import sys

BANNED_IN_HEADERS = set("iostream sstream regex filesystem chrono thread random format".split())
HEAVY = {  # what is included -> which headers it stands for
    "toml++": r"toml\+\+/|toml\.hpp", "nlohmann-json": r"nlohmann/", "oneDNN": r"dnnl|oneapi/",
    "SQLite": r"sqlite3", "zstd": r"zstd", "xxHash": r"xxhash|xxh3", "CLI11": r"CLI/",
    "cuBLASLt": r"cublas", "CUDA runtime": r"cuda_runtime", "GoogleTest": r"gtest/|gmock/",
    "Boost": r"boost/"}
NOWHERE = {"GoogleTest"}  # tests only
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def arrows(cmake):
    """Folder -> all folders whose headers it may include, from the keel_library lines."""
    direct = {}
    for name, rest in re.findall(r"^keel_library\((\w+)([^)]*)\)", cmake, re.M):
        deps = re.search(r"DEPS((?:\s+[a-z]\w*)+)", rest)
        direct[name] = set(deps.group(1).split()) if deps else set()
    direct["cli"] = set(direct)

    def below(folder):
        return {folder}.union(*(below(f) for f in direct[folder]))
    return {folder: below(folder) for folder in direct}


def main(root):
    allowed = arrows((root / "CMakeLists.txt").read_text())
    problems, users = [], {}
    for path in sorted(p for p in (root / "src").rglob("*") if p.suffix in (".h", ".cc", ".cu", ".cuh")):
        where = path.relative_to(root)
        folder, is_header = where.parts[1], path.suffix in (".h", ".cuh")
        for bracket, name in INCLUDE.findall(path.read_text()):
            if bracket == '"':
                target = name.split("/")[0]
                if not (root / "src" / name).is_file():
                    problems.append(f"{where}: no file src/{name}")
                elif target not in allowed.get(folder, ()):
                    problems.append(f"{where}: {folder} may not include {name} (see CMakeLists.txt)")
                continue
            if is_header and name in BANNED_IN_HEADERS:
                problems.append(f"{where}: <{name}> is banned in headers")
            for part, pattern in HEAVY.items():
                if re.match(pattern, name):
                    users.setdefault(part, set()).add(str(where))
    for part, files in users.items():
        if part in NOWHERE or len(files) > 1 or any(f.endswith(".h") for f in files):
            room = "no file of src/" if part in NOWHERE else "one .cc"
            problems.append(f"{part}: {room} may include it, found in {' '.join(sorted(files))}")
    print("\n".join(problems) or f"includes: {len(allowed)} folders, all arrows point down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
