"""Puts the package and the scripts of tools/dev on the path. Importing it is all."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tools" / "dev")]
