"""Writes a tiny model from the ONNX text syntax: make_onnx.py model.txt model.onnx.

Lines that start with `#` are removed, so a lit test is its own model.
"""

import sys

import onnx
import onnx.parser


def main() -> None:
    source, target = sys.argv[1:3]
    with open(source) as file:
        text = "".join(line for line in file if not line.startswith("#"))
    onnx.save(onnx.parser.parse_model(text), target)


if __name__ == "__main__":
    main()
