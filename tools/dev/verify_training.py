#!/usr/bin/env python3
"""Loss curves of `llmpar train` under every layout against one device, and of one device against JAX.

Prints, for GPT-2 and Llama shapes and a mixture of experts (the zoo's tiny ones), the largest relative difference of any
step's loss; AdamW with weight decay and clipping, f32, and bf16 and f16 against it. Rows with held gradients are compared
with one device that holds them as long. Exit code 1 if a layout is beyond 1e-5, JAX beyond 1e-4, or a lower precision
beyond 2e-2. Skips JAX, loudly, without it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("python", "test/python")]
import numpy as np
import training_data

from llmpar.cli import run_checked, table
from llmpar.zoo import build_gpt2, build_llama
from llmpar.zoo.gpt2 import SIZES as GPT2_SIZES
from llmpar.zoo.llama import SIZES as LLAMA_SIZES

MODELS = {"gpt2": (build_gpt2, GPT2_SIZES["tiny"]), "llama": (build_llama, LLAMA_SIZES["tiny"]),
          "mixtral": (build_llama, LLAMA_SIZES["tiny-mixtral"])}
LAYOUTS = {
    "dp=2": ["--mesh", "dp=2", "--layout", "data"],
    "dp=4": ["--mesh", "dp=4", "--layout", "data"],
    "tp=2": ["--mesh", "tp=2", "--layout", "tensor"],
    "dp=2,tp=2": ["--mesh", "dp=2,tp=2", "--layout", "hybrid"],
    "sequence=2": ["--mesh", "sp=2", "--layout", "sequence"],
    "gathered=2": ["--mesh", "dp=2", "--layout", "gathered"],
    "auto=2,2": ["--mesh", "x=2,y=2", "--layout", "auto"],
    "dp=2 ZeRO 1": ["--mesh", "dp=2", "--layout", "data", "--zero", "1"],
    "dp=3 ZeRO 2": ["--mesh", "dp=3", "--layout", "data", "--zero", "2"],
    "dp=2,tp=2 ZeRO 1": ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "1"],
    "dp=3 ZeRO 3": ["--mesh", "dp=3", "--layout", "data", "--zero", "3"],
    "dp=2,tp=2 ZeRO 3": ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "3"],
    "recompute selective": ["--recompute", "selective"],
    "recompute full": ["--recompute", "full"],
    "dp=2,tp=2 recompute full": ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--recompute", "full"],
    "2 micro-batches": ["--gradient-accumulation-steps", "2"],
    "4 micro-batches, dp=2 ZeRO 3, full": ["--gradient-accumulation-steps", "4", "--mesh", "dp=2", "--layout", "data", "--zero", "3", "--recompute", "full"],
    "2 micro-batches, dp=2,tp=2 ZeRO 1": ["--gradient-accumulation-steps", "2", "--mesh", "dp=2,tp=2", "--layout", "hybrid", "--zero", "1"],
    "dp=4 stale 1": ["--mesh", "dp=4", "--layout", "data", "--staleness", "1"],
    "dp=2,tp=2 stale 2": ["--mesh", "dp=2,tp=2", "--layout", "hybrid", "--staleness", "2"],
    "2 micro-batches, auto=2": ["--gradient-accumulation-steps", "2", "--mesh", "x=2", "--layout", "auto"],
}
PRECISIONS = {
    "bf16": ["--bf16"],
    "bf16, dp=2,tp=2": ["--bf16", "--mesh", "dp=2,tp=2", "--layout", "hybrid"],
    "bf16, dp=2 ZeRO 1": ["--bf16", "--mesh", "dp=2", "--layout", "data", "--zero", "1"],
    "bf16, dp=2 ZeRO 3, 2 micro-batches": ["--bf16", "--mesh", "dp=2", "--layout", "data", "--zero", "3", "--gradient-accumulation-steps", "2"],
    "f16": ["--fp16"],
    "f16, dp=2 ZeRO 3": ["--fp16", "--mesh", "dp=2", "--layout", "data", "--zero", "3"],
}
BATCH, LENGTH, CLASSES = 4, 16, 101
LAYOUT_LIMIT, JAX_LIMIT, PRECISION_LIMIT = 1e-5, 1e-4, 2e-2


def write_tokens(path: Path, samples: int) -> np.ndarray:
    tokens = np.random.default_rng(samples).integers(0, CLASSES, samples * LENGTH + 1)
    training_data.write_tokens(path, tokens, CLASSES)
    return tokens


def losses(folder: Path, data: Path, steps: int, *flags: str) -> np.ndarray:
    log = folder / "log.jsonl"
    parts = int(flags[flags.index("--gradient-accumulation-steps") + 1]) if "--gradient-accumulation-steps" in flags else 1
    run_checked("train", folder / "model.onnx", "--dim", f"batch={BATCH // parts}", "--dim", f"seq={LENGTH}", "--data", data, "--train-iters",
                str(steps), "--weight-decay", "0.1", "--clip-grad", "0.5", "--log", log, "--json", *flags)
    return np.array([json.loads(line)["loss"] for line in log.read_text().splitlines()])


def jax_losses(folder: Path, kind: str, tokens: np.ndarray, steps: int) -> np.ndarray | None:
    try:
        import training_reference
    except ImportError as missing:
        print(f"SKIPPED: JAX: {missing}", file=sys.stderr)
        return None
    batch = np.stack([tokens[i * LENGTH : (i + 1) * LENGTH + 1] for i in range(BATCH)])
    weights = training_reference.load_weights(folder / "model.onnx")
    return np.array(training_reference.train(weights, kind, MODELS[kind][1], batch, steps, clip=0.5, decay=0.1))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b) / np.abs(b)))


def main() -> int:
    options = parse()
    rows, worst = [], {"layout": 0.0, "precision": 0.0, "jax": 0.0}
    with tempfile.TemporaryDirectory() as root:
        for kind, (build, config) in MODELS.items():
            folder = Path(root) / kind
            build(folder, config)
            write_tokens(folder / "many.bin", 40)
            singles = {age: losses(folder, folder / "many.bin", options.steps, "--staleness", age) for age in ("0", "1", "2")}
            single = singles["0"]
            rows.append([kind, "one device", f"{single[0]:.4f}", f"{single[-1]:.4f}", ""])
            for what, variants in [("layout", LAYOUTS), ("precision", PRECISIONS)]:
                for name, flags in variants.items():
                    curve = losses(folder, folder / "many.bin", options.steps, *flags)
                    age = flags[flags.index("--staleness") + 1] if "--staleness" in flags else "0"
                    found = difference(curve, singles[age])
                    worst[what] = max(worst[what], found)
                    rows.append([kind, name, f"{curve[0]:.4f}", f"{curve[-1]:.4f}", f"{found:.1e}"])
            # One batch in each epoch: the order of its samples does not matter.
            tokens = write_tokens(folder / "one.bin", BATCH)
            expected = jax_losses(folder, kind, tokens, options.steps)
            if expected is not None:
                found = difference(losses(folder, folder / "one.bin", options.steps), expected)
                worst["jax"] = max(worst["jax"], found)
                rows.append([kind, "one device / JAX", f"{expected[0]:.4f}", f"{expected[-1]:.4f}", f"{found:.1e}"])
    print(table([["model", "layout", "first loss", "last loss", "largest difference"], *rows], right={2, 3, 4}))
    print(f"\n{options.steps} steps: layouts {worst['layout']:.1e} (wanted {LAYOUT_LIMIT:.0e}), JAX {worst['jax']:.1e} (wanted {JAX_LIMIT:.0e}), "
          f"bf16 and f16 {worst['precision']:.1e} (wanted {PRECISION_LIMIT:.0e})")
    return int(worst["layout"] > LAYOUT_LIMIT or worst["jax"] > JAX_LIMIT or worst["precision"] > PRECISION_LIMIT)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example:\n  tools/dev/verify_training.py --steps 10      a quick look")
    parser.add_argument("--steps", type=int, default=50)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
