"""python -m llmpar.zoo: write a model with seeded random weights."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
from onnx import numpy_helper

from llmpar.zoo import gpt2, graph, llama

FAMILIES = {"gpt2": (gpt2.SIZES, gpt2.build_gpt2), "llama": (llama.SIZES, llama.build_llama)}
SOURCES = [Path(module.__file__) for module in (gpt2, llama, graph)]


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    sizes, build = FAMILIES[options.family]
    config = sizes[options.size]
    changes = {f.name: getattr(options, f.name) for f in dataclasses.fields(config) if getattr(options, f.name, None)}
    config = dataclasses.replace(config, **changes)
    if config.hidden % config.heads:
        print(f"error: --heads {config.heads} does not divide --hidden {config.hidden}", file=sys.stderr)
        return 2
    if config.heads % getattr(config, "kv_heads", 1):
        print(f"error: --kv-heads {config.kv_heads} does not divide --heads {config.heads}", file=sys.stderr)
        return 2
    if getattr(config, "experts", 0) and not 1 <= config.active <= config.experts:
        print(f"error: --active {config.active} of --experts {config.experts}: a token takes 1 to all of them", file=sys.stderr)
        return 2
    recipe = json.dumps({"family": options.family, **dataclasses.asdict(config), "seed": options.seed,
                         "weights": not options.no_weights, "sources": max(p.stat().st_mtime for p in SOURCES)})
    stamp = options.out / "model.recipe.json"
    if (options.out / "model.onnx").exists() and stamp.exists() and stamp.read_text() == recipe:
        print(f"{options.out}/model.onnx is up to date")
    else:
        stamp.unlink(missing_ok=True)
        count = build(options.out, config, seed=options.seed, weights=not options.no_weights)
        stamp.write_text(recipe)
        print(f"{options.out}/model.onnx: {options.family} {options.size}, {count / 1e6:.1f}M parameters")
    if options.test_data:
        write_test_data(options.out, config.vocab, *options.test_data)
    return 0


def write_test_data(folder: Path, vocab: int, batch: int, seq: int) -> None:
    """test_data_set_0 with random tokens and what ONNX Runtime makes of them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(1).integers(0, vocab, (batch, seq), dtype=np.int64)
    outputs = session.run(None, {"input_ids": ids})
    target = folder / "test_data_set_0"
    target.mkdir(exist_ok=True)
    (target / "input_0.pb").write_bytes(numpy_helper.from_array(ids, "input_ids").SerializeToString())
    for i, (value, info) in enumerate(zip(outputs, session.get_outputs())):
        (target / f"output_{i}.pb").write_bytes(numpy_helper.from_array(value, info.name).SerializeToString())
    print(f"{target}: batch {batch}, seq {seq}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llmpar.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""examples:
  python -m llmpar.zoo gpt2 --size small --out out/gpt2
  python -m llmpar.zoo llama --size tiny --kv-heads 3 --out out/llama --test-data 2 7
  python -m llmpar.zoo llama --size small --experts 8 --out out/mixtral          Mixtral: a token takes 2 of 8 experts
  python -m llmpar.zoo llama --size 8b --no-weights --out out/llama8b     the graph only, for compiling""")
    families = parser.add_subparsers(dest="family", required=True, metavar="FAMILY")
    for family, (sizes, _) in FAMILIES.items():
        sub = families.add_parser(family, help=f"sizes: {', '.join(sizes)}")
        sub.add_argument("--size", choices=sizes, default="small")
        sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets model.onnx and model.onnx.data")
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--no-weights", action="store_true", help="write no weight file")
        sub.add_argument("--test-data", type=int, nargs=2, metavar=("BATCH", "SEQ"),
                         help="also write test_data_set_0, computed by ONNX Runtime")
        for field in dataclasses.fields(next(iter(sizes.values()))):
            if field.type == "int":
                sub.add_argument(f"--{field.name.replace('_', '-')}", type=int, metavar="N", help="instead of the size's")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
