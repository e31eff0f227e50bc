#!/usr/bin/env python3
"""What is expected of an example (tests/examples/expected.rs says how to read it), for what came of it under Nomad.

    expected.py get FILE NAME            the value of `# NAME: …`, or nothing
    expected.py check FILE DIRECTORY     <task>.stdout and <task>.stderr there; says what differs

Lines that begin with ==> are the command line's own. Of several tasks each line begins with its task's name, as there.
"""
import functools
import pathlib
import re
import sys


def one(pattern, line):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line) is not None


def all_of(patterns, lines):
    @functools.cache
    def rest(at, line):
        if at == len(patterns):
            return line == len(lines)
        if patterns[at] == "...":
            return any(rest(at + 1, next_line) for next_line in range(line, len(lines) + 1))
        return line < len(lines) and one(patterns[at], lines[line]) and rest(at + 1, line + 1)

    return rest(0, 0)


def by_task(lines):
    """Tasks write when they like: in the order of their names, each task's lines in their own."""
    return sorted(lines, key=lambda line: line.partition(" | ")[0] if " | " in line else "")


def written(directory, stream):
    files = sorted(pathlib.Path(directory).glob(f"*.{stream}"))
    lines = []
    for file in files:
        prefix = f"{file.stem} | " if len(files) > 1 else ""
        lines += [prefix + line for line in file.read_text(errors="replace").splitlines()]
    return lines, len(files) > 1


def check(text, directory):
    wanted = [line for line in text if not line.startswith(("# ", "! "))]
    told = [line[2:] for line in text if line.startswith("! ") and not line.startswith("! ==>")]
    out, several = written(directory, "stdout")
    if several:
        wanted, out = by_task(wanted), by_task(out)
    problems = [] if all_of(wanted, out) else [f"standard output is {out}, not {wanted}"]
    lines = iter(written(directory, "stderr")[0])
    problems += [f"standard error has no {line!r}" for line in told if not any(one(line, got) for got in lines)]
    return problems


def main():
    verb, file, last = sys.argv[1:]
    text = pathlib.Path(file).read_text().splitlines()
    if verb == "get":
        values = [line.removeprefix(f"# {last}: ").strip() for line in text if line.startswith(f"# {last}: ")]
        print("".join(values))
        return 0
    problems = check(text, last)
    print("\n".join(problems), end="")
    return 1 if problems else 0


sys.exit(main())
