#!/usr/bin/env python3
"""A training step of a GPT-2-small shape, AdamW, one core, against PyTorch: rounds in turn, so that noise hits both.

In f32, or with --bf16 in bf16 with f32 master weights against PyTorch's autocast to bf16.

Prints the median step (without each process's first) and the peak memory of both, and the ratios. PyTorch runs in the
Python of --torch-python; without it, or without PyTorch in it, its half is skipped, loudly.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import numpy as np

from llmpar.cli import ROOT, table
from llmpar.zoo import build_gpt2
from llmpar.zoo.gpt2 import SIZES

# The same model and step. Arguments: batch, sequence, layers, hidden, heads, classes, positions, steps, bf16 (1 or 0).
TORCH = """
import json, sys, time, torch, torch.nn as nn, torch.nn.functional as F
batch, seq, layers, hidden, heads, classes, positions, steps, bf16 = map(int, sys.argv[1:])
torch.set_num_threads(1)

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x):
        q, k, v = (t.view(batch, seq, heads, -1).transpose(1, 2) for t in self.qkv(self.ln_1(x)).split(hidden, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, seq, hidden)
        x = x + self.out(y)
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))

class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(classes, hidden), nn.Embedding(positions, hidden)
        self.blocks, self.ln_f = nn.ModuleList(Block() for _ in range(layers)), nn.LayerNorm(hidden)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(seq))
        for block in self.blocks:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T

model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
seconds = []
for _ in range(steps):
    ids = torch.randint(0, min(classes, 256), (batch, seq + 1))
    begin = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bool(bf16)):
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    seconds.append(time.perf_counter() - begin)
print(json.dumps(seconds[1:]))
"""


def pinned(command: list) -> tuple[str, int]:
    """Standard output and peak bytes of a process on one core."""
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(map(str, command[:3]))} ...")
    return output, usage.ru_maxrss * 1024


def llmpar_round(options: argparse.Namespace, folder: Path, steps: int) -> tuple[list[float], int]:
    log = folder / "log.jsonl"
    _, peak = pinned([ROOT / "build/bin/llmpar", "train", folder / "model.onnx", "--dim", f"batch={options.batch}", "--dim", f"seq={options.seq}",
                      "--data", folder / "tokens.bin", "--train-iters", steps, "--log", log, "--json", *(["--bf16"] if options.bf16 else [])])
    return [json.loads(line)["seconds"] for line in log.read_text().splitlines()][1:], peak


def torch_round(options: argparse.Namespace, steps: int) -> tuple[list[float], int]:
    c = SIZES[options.size]
    arguments = [options.batch, options.seq, c.layers, c.hidden, c.heads, c.vocab, c.positions, steps, int(options.bf16)]
    output, peak = pinned([options.torch_python, "-c", TORCH, *arguments])
    return json.loads(output), peak


def has_torch(python: str) -> bool:
    return subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0


def main() -> int:
    options = parse()
    contestants = {"llmpar": lambda folder, steps: llmpar_round(options, folder, steps)}
    if has_torch(options.torch_python):
        contestants["PyTorch"] = lambda folder, steps: torch_round(options, steps)
    else:
        print(f"SKIPPED: PyTorch is not installed in {options.torch_python}: name another Python with --torch-python", file=sys.stderr)
    seconds, peaks = {name: [] for name in contestants}, dict.fromkeys(contestants, 0)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        build_gpt2(folder, SIZES[options.size])
        tokens = np.random.default_rng(0).integers(0, 100, 8 * options.batch * options.seq + 1).astype(np.uint8)
        (folder / "tokens.bin").write_bytes(b"LLMPTOK1" + struct.pack("<II", 1, 256) + tokens.tobytes())
        for number in range(options.rounds):
            for name, run in contestants.items():
                found, peak = run(folder, options.steps + 1)
                seconds[name] += found
                peaks[name] = max(peaks[name], peak)
                print(f"round {number + 1}/{options.rounds}: {name}: {statistics.median(found):.2f} s", file=sys.stderr)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    tokens = options.batch * options.seq
    print(table([[f"{'bf16' if options.bf16 else 'f32'}, one core", "step", "best", "tokens/s", "peak memory"],
                 *([n, f"{m:.2f} s", f"{min(seconds[n]):.2f} s", f"{tokens / m:.0f}", f"{peaks[n] / 2**30:.2f} GiB"] for n, m in medians.items())],
                right={1, 2, 3, 4}))
    if "PyTorch" in medians:
        print(f"\nspeed of llmpar / PyTorch {medians['PyTorch'] / medians['llmpar']:.2f}, memory {peaks['llmpar'] / peaks['PyTorch']:.2f}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example:\n  test/benchmark/bench_train.py --size tiny --seq 32 --torch-python ~/torch/bin/python")
    parser.add_argument("--size", default="small", choices=SIZES, help="of the zoo's GPT-2 (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="measured steps of each round (default: %(default)s)")
    parser.add_argument("--bf16", action="store_true", help="compute in bf16 (default: f32)")
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch (default: this one)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
