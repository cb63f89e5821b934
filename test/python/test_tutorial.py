"""docs/tutorial-training.md: every block of it runs. LLMPAR_TUTORIAL_STEPS: training steps, here 4."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import ROOT
from llmpar.cli import find_llmpar

TEXT = Path("/usr/share/games/fortunes")
STEPS = int(os.environ.get("LLMPAR_TUTORIAL_STEPS", "4"))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)


class TutorialTest(unittest.TestCase):
    def test_every_block_runs(self):
        if not TEXT.exists():
            self.skipTest("the package fortunes is not installed")
        script = "\n".join(["set -euo pipefail", *blocks((ROOT / "docs/tutorial-training.md").read_text())])
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "tools").symlink_to(ROOT / "tools")
            (root / "bin").mkdir()
            (root / "bin/llmpar").symlink_to(find_llmpar())
            (root / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            (root / "bin/python").chmod(0o755)
            environment = dict(os.environ, STEPS=str(STEPS), PATH=f"{root / 'bin'}:{os.environ['PATH']}", PYTHONPATH=str(ROOT / "python"))
            done = subprocess.run(["bash", "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.check_outputs(root / "out/tutorial", done.stdout)

    def check_outputs(self, out: Path, printed: str):
        losses = {name: [json.loads(line)["loss"] for line in (out / f"{name}.jsonl").read_text().splitlines()] for name in ("data", "tensor", "hybrid", "resumed")}
        self.assertEqual({name: len(curve) for name, curve in losses.items()}, {"data": STEPS, "tensor": STEPS, "hybrid": STEPS, "resumed": STEPS - STEPS // 2})
        for name in ("tensor", "hybrid"):
            np.testing.assert_allclose(losses[name][:4], losses["data"][:4], rtol=1e-4)
        self.assertLess(losses["data"][-1], losses["data"][0])
        self.assertIn("The difference between ", printed)
        self.assertRegex((out / "losses.svg").read_text(), r"(?s)^<svg .*polyline.*bigram model")
        if STEPS >= 500:
            validation = float(re.search(r"^validation .*loss ([\d.]+)", printed, re.M)[1])
            self.assertLess(validation, float(re.search(r"validation loss ([\d.]+)", printed)[1]))


if __name__ == "__main__":
    unittest.main()
