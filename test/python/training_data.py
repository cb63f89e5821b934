"""Token files for the tests of training."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np


def write_tokens(path: Path, tokens: np.ndarray, classes: int) -> None:
    path.write_bytes(b"LLMPTOK1" + struct.pack("<II", 1, classes) + tokens.astype(np.uint8).tobytes())
