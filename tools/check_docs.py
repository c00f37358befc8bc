#!/usr/bin/env python3
"""Checks that what the docs say of the tree is true: a code block after a line <!-- from FILE -->
stands in that file word for word (a line with only "..." skips some lines), every path of the tree
that is written in backquotes or linked exists, and a page that promises to be short is.
usage: check_docs.py [ROOT]        prints one line per violation; exit status 1 if any"""
import pathlib
import re
import sys

EXCERPT = re.compile(r"<!-- from (\S+) -->\n+```[a-z+]*\n(.*?)```", re.S)
FOLDERS = "src|tests|tools|docs|cmake|configs|bench|fuzz|\\.ci"
QUOTED = re.compile(rf"`((?:{FOLDERS})/[\w./{{}},*-]*)`")
MOST_LINES = {"docs/add_a_technique.md": 80}
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def lines_of(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def stands_in(excerpt, source):
    """Each part of the excerpt is a run of lines of the source, in order."""
    at = 0
    for part in re.split(r"^\s*\.\.\.\s*$", excerpt, flags=re.M):
        wanted = lines_of(part)
        while source[at:at + len(wanted)] != wanted:
            at += 1
            if at + len(wanted) > len(source):
                return False
        at += len(wanted)
    return True


def expand(path):
    """a.{h,cc} -> a.h a.cc"""
    braces = re.search(r"\{([^}]*)\}", path)
    if not braces:
        return [path]
    return [p for one in braces.group(1).split(",")
            for p in expand(path[:braces.start()] + one + path[braces.end():])]


def main(root):
    problems, excerpts, paths = [], 0, 0
    pages = [p for p in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]]
    for page in sorted(pages):
        name, text = page.relative_to(root), page.read_text()
        lines, most = text.count("\n"), MOST_LINES.get(str(name), sys.maxsize)
        if lines > most:
            problems.append(f"{name}: {lines} lines, at most {most}")
        for source, excerpt in EXCERPT.findall(text):
            excerpts += 1
            path = root / source
            if not path.is_file():
                problems.append(f"{name}: no file {source}")
            elif not stands_in(excerpt, lines_of(path.read_text())):
                problems.append(f"{name}: the excerpt of {source} is not what stands there now")
        wanted = [(root, p) for quoted in QUOTED.findall(text) for p in expand(quoted)]
        wanted += [(page.parent, p) for p in LINK.findall(text)]
        for base, path in wanted:
            paths += 1
            if not any(base.glob(path.rstrip("/"))) and not (base / path).exists():
                problems.append(f"{name}: no {path} in the tree")
    print("\n".join(problems) or f"docs: {len(pages)} pages, {excerpts} excerpts and {paths} paths "
          "are true")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
