#!/usr/bin/env python3
"""Copies marked blocks of the lit tests in test/walkthrough/ into docs/walkthrough.md.

  tools/dev/gen_walkthrough.py            refresh docs/walkthrough.md
  tools/dev/gen_walkthrough.py --check    exit 1 if it is out of date
  tools/dev/gen_walkthrough.py --update   first rewrite the tests' blocks from the built tools

In a test a block is either input or expected output:

  // BEGIN INPUT                          // BEGIN LAYOUT from "func.func @main"
  module { ... }                          // LAYOUT: func.func @main(...
  // END INPUT                            // LAYOUT-NEXT:   %0 = ...
                                          // END LAYOUT

`from "text"` (used by --update) keeps the op that begins at the first line with that text, up to
the line that closes it or else the end; `from "a" until "b"` keeps the lines from a to the one before b. The RUN line
that ends in `--check-prefix=LAYOUT` produces the block. In the document the block goes between
`<!-- BEGIN mlp.mlir LAYOUT -->` and `<!-- END -->`.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build"))
TESTS = ROOT / "test" / "walkthrough"
DOCUMENT = ROOT / "docs" / "walkthrough.md"
BLOCK = re.compile(r'^// BEGIN (\w+)(?: from "([^"]*)")?(?: until "([^"]*)")?\n(.*?)^// END \1\n', re.M | re.S)
SLOT = re.compile(r"(<!-- BEGIN (\S+) (\w+) -->\n)(.*?)(<!-- END -->)", re.S)


def blocks(path):
    """Name -> text of every block, without the check prefixes."""
    found = {}
    for match in BLOCK.finditer(path.read_text()):
        name, body = match[1], match[4]
        lines = body.splitlines()
        if lines and all(re.match(rf"// {name}(-NEXT)?:", line) for line in lines):
            lines = [re.sub(rf"^// {name}(-NEXT)?: ?", "", line) for line in lines]
            indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
            lines = [line[indent:] for line in lines]
        found[name] = "\n".join(lines) + "\n"
    return found


def filled():
    """The document with every slot filled from its test."""
    tests = {}

    def fill(match):
        test, name = match[2], match[3]
        if test not in tests:
            tests[test] = blocks(TESTS / test)
        if name not in tests[test]:
            sys.exit(f"error: test/walkthrough/{test} has no block {name}")
        text = tests[test][name]
        return f"{match[1]}```{'mlir' if 'llmpar' in text else ''}\n{text}```\n{match[5]}"

    return SLOT.sub(fill, DOCUMENT.read_text())


def check():
    """1 and a message if the document is out of date, else 0."""
    if filled() == DOCUMENT.read_text():
        return 0
    print("DRIFT  docs/walkthrough.md: run tools/dev/gen_walkthrough.py")
    return 1


def run_lines(text):
    """Check prefix -> command without its FileCheck; lines without one have the key None (in order)."""
    joined = re.sub(r"\\\n// RUN:", " ", text)
    for command in re.findall(r"^// RUN: (.*)$", joined, re.M):
        prefix = re.search(r"\|\s*FileCheck .*--check-prefix=(\w+)", command)
        yield (prefix[1] if prefix else None), re.sub(r"\|\s*FileCheck .*$", "", command)


def select(output, begin, until):
    lines = [line.rstrip() for line in output.splitlines()]
    lines = [line for line in lines if line]
    if not begin:
        return lines
    start = next(i for i, line in enumerate(lines) if begin in line)
    if until:
        end = next(i for i in range(start, len(lines)) if until in lines[i])
    else:
        indent = re.match(r" *", lines[start])[0]
        end = next((i + 1 for i in range(start, len(lines)) if lines[i].startswith(indent + "}")), len(lines))
    return lines[start:end]


def update(path, build):
    """Rewrites the expected-output blocks of a test with what its RUN lines print now."""
    text = path.read_text()
    outputs = {}
    environment = dict(os.environ, PATH=f"{build / 'bin'}:{os.environ['PATH']}")
    with tempfile.TemporaryDirectory() as folder:
        for prefix, command in run_lines(text):
            command = command.replace("%s", shlex.quote(str(path))).replace("%t", f"{folder}/t")
            done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"error: {command}\n{done.stderr}")
            outputs[prefix] = done.stdout

    def rewrite(match):
        name = match[1]
        if name not in outputs:
            return match[0]
        lines = select(outputs[name], match[2], match[3])
        checks = [f"// {name}{'-NEXT' if i else ''}: {line}\n" for i, line in enumerate(lines)]
        return match[0][: match.start(4) - match.start(0)] + "".join(checks) + f"// END {name}\n"

    path.write_text(BLOCK.sub(rewrite, text))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true", help="rewrite the tests' blocks first")
    parser.add_argument("--build", type=Path, default=BUILD)
    options = parser.parse_args()
    if options.check:
        return check()
    if options.update:
        for test in sorted(TESTS.glob("*.mlir")):
            update(test, options.build.resolve())
    DOCUMENT.write_text(filled())
    return 0


if __name__ == "__main__":
    sys.exit(main())
