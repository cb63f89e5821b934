#!/usr/bin/env python3
"""Loss of a bigram model: what a model must beat that looks further back than one token.

Counts pairs of the training samples of a token file, adds 0.1 to each, and prints the mean cross-entropy of the
validation samples in nats, as `llmpar eval` has it.

  tools/dev/bigram_loss.py tokens.bin --length 128 --split 949,50,1
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

import numpy as np


def read_tokens(path: Path) -> tuple[np.ndarray, int]:
    """Tokens and the number of classes of a file of `llmpar data`."""
    raw = path.read_bytes()
    if raw[:8] != b"LLMPTOK1":
        raise SystemExit(f"error: {path} is not a token file: make one with `llmpar data`")
    width, classes = struct.unpack("<II", raw[8:16])
    return np.frombuffer(raw, f"<u{width}", offset=16).astype(np.int64), classes


def bigram_loss(tokens: np.ndarray, classes: int, length: int, split: list[float]) -> float:
    samples = (len(tokens) - 1) // length
    begin, end = (round(samples * sum(split[:i]) / sum(split)) * length for i in (1, 2))
    counts = np.full((classes, classes), 0.1)
    np.add.at(counts, (tokens[:begin], tokens[1 : begin + 1]), 1)
    likelihood = np.log(counts / counts.sum(1, keepdims=True))
    return float(-likelihood[tokens[begin:end], tokens[begin + 1 : end + 1]].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("--length", type=int, required=True, help="of a sample")
    parser.add_argument("--split", default="969,30,1", help="as of `llmpar train`")
    options = parser.parse_args()
    tokens, classes = read_tokens(options.tokens)
    loss = bigram_loss(tokens, classes, options.length, [float(x) for x in options.split.split(",")])
    print(f"bigram model: validation loss {loss:.4f}, perplexity {np.exp(loss):.2f}")


if __name__ == "__main__":
    main()
