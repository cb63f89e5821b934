#!/usr/bin/env python3
"""Kills `llmpar train` at random moments, most of them while it saves, and lets it go on, again and again.

After each kill (SIGKILL) whatever `latest` names must be whole: a run that loads it and has no step left must succeed. In
the end the weights must have the bits of a run that was never killed. GPT-2 of the zoo's tiny size; a checkpoint after
every step, on two devices with ZeRO, so that most of the time is spent saving. Exit code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("python", "test/python")]
import numpy as np

from llmpar.cli import Kind, find_llmpar, run_llmpar
from llmpar.zoo import build_gpt2
from llmpar.zoo.gpt2 import SIZES
from training_data import write_tokens

BATCH, LENGTH = 4, 16
LONGEST_WAIT = 20.0  # seconds for the first sign of a checkpoint


@dataclass
class Report:
    kills: int = 0
    while_saving: int = 0  # kills that left a half-written checkpoint behind
    steps: int = 0
    problems: list[str] = field(default_factory=list)


class Run:
    def __init__(self, folder: Path):
        self.folder, self.save = folder, folder / "save"
        self.model, self.data = folder / "gpt2/model.onnx", folder / "kill.bin"
        build_gpt2(folder / "gpt2", SIZES["tiny"])
        write_tokens(self.data, np.random.default_rng(5).integers(0, 101, 11 * LENGTH + 1), 101)

    def flags(self, iters: int, *more) -> list[str]:
        flags = [self.model, "--dim", f"batch={BATCH}", "--dim", f"seq={LENGTH}", "--data", self.data, "--mesh", "dp=2", "--layout", "data",
                 "--zero", "1", "--train-iters", iters, *more]
        return ["train", *map(str, flags)]

    def saving(self, *more) -> list[str]:
        return ["--save", str(self.save), "--load", str(self.save), "--save-interval", "1", "--save-total-limit", "3", *more]

    def latest(self) -> int:
        path = self.save / "latest"
        return int(path.read_text().strip().removeprefix("iter_")) if path.exists() else 0

    def kill_once(self, delay: float) -> bool:
        """Lets it run until it has saved, and `delay` seconds on; true if a half-written checkpoint is left."""
        begin, known = time.monotonic(), self.latest()
        process = subprocess.Popen([find_llmpar(), *self.flags(10**6, *self.saving())], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.latest() == known and process.poll() is None and time.monotonic() - begin < LONGEST_WAIT:
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.wait()
        return any(self.save.glob("iter_*.tmp"))

    def weights(self, iters: int, *more) -> dict[str, np.ndarray]:
        out = self.folder / "weights.npz"
        outcome = run_llmpar(*self.flags(iters, "-o", out, *more))
        if outcome.kind is not Kind.OK:
            raise RuntimeError(outcome.error)
        return dict(np.load(out))


def try_kills(folder: Path, kills: int, seed: int, show=lambda text: None) -> Report:
    moments, report, run = random.Random(seed), Report(), Run(folder)
    for _ in range(kills):
        report.while_saving += run.kill_once(moments.uniform(0, 0.05))
        report.kills += 1
        step = run.latest()
        outcome = run_llmpar(*run.flags(step or 1, "--load", str(run.save))) if step else None
        if outcome and outcome.kind is not Kind.OK:
            report.problems.append(f"after kill {report.kills}, at step {step}: {outcome.error}")
        show(f"{report.kills} kills ({report.while_saving} while saving), step {step}, {len(report.problems)} problems")
    report.steps = run.latest() + 2
    resumed, whole = run.weights(report.steps, *run.saving()), run.weights(report.steps)
    different = [name for name in whole if whole[name].tobytes() != resumed[name].tobytes()]
    if different:
        report.problems.append(f"{len(different)} states differ from those of a run without kills: {', '.join(different[:3])}")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = try_kills(Path(folder), options.kills, options.seed, show=lambda text: print(text, flush=True))
    print("\n".join([*report.problems, f"{report.kills} kills, {report.while_saving} while saving, {report.steps} steps, {len(report.problems)} problems"]))
    return int(bool(report.problems))


if __name__ == "__main__":
    sys.exit(main())
