#!/usr/bin/env python3
"""Draws loss curves of `llmpar train --log` as one SVG.

  tools/dev/plot_losses.py data.jsonl tensor.jsonl --level "bigram model=2.54" -o losses.svg

A line for the training loss of each file (the mean of the last steps), dots for its validation losses, and a dashed
horizontal for each --level.
"""

from __future__ import annotations

import argparse
import json
import math
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 56, 44, 16, 150
COLOURS = ["#3366aa", "#cc5533", "#339966", "#885599", "#999933", "#333333"]


def read_log(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def smoothed(values: list[float], window: int) -> list[float]:
    return [sum(values[max(0, i + 1 - window) : i + 1]) / min(i + 1, window) for i in range(len(values))]


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers between two bounds."""
    step = 10 ** math.floor(math.log10((high - low) / count or 1))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= count)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def draw(logs: dict[str, list[dict]], levels: dict[str, float]) -> str:
    lines = {name: [(entry["step"], entry["loss"]) for entry in log if entry["loss"] is not None] for name, log in logs.items()}
    dots = {name: [(e["step"], e["validation"]["loss"]) for e in log if "validation" in e] for name, log in logs.items()}
    window = max(1, max(len(line) for line in lines.values()) // 50)
    curves = {name: list(zip([s for s, _ in line], smoothed([x for _, x in line], window))) for name, line in lines.items()}
    everything = [y for curve in [*curves.values(), *dots.values()] for _, y in curve] + list(levels.values())
    low, high = min(everything), max(everything)
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)
    last = max(step for curve in curves.values() for step, _ in curve)

    def x(step: float) -> float:
        return LEFT + step / last * (WIDTH - LEFT - RIGHT)

    def y(loss: float) -> float:
        return TOP + (high - loss) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in ticks(low, high):
        out.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(0, last):
        out.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    out.append(f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">loss</text>')
    for (name, curve), colour in zip(curves.items(), COLOURS * len(curves)):
        points = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in curve)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" opacity="0.8"/>')
        out += [f'<circle cx="{x(step):.1f}" cy="{y(loss):.1f}" r="3.5" fill="{colour}"/>' for step, loss in dots[name]]
        row = TOP + 16 + 18 * list(curves).index(name)
        out.append(f'<path d="M{WIDTH - RIGHT + 12} {row - 4}h18" stroke="{colour}" stroke-width="2"/><text x="{WIDTH - RIGHT + 36}" y="{row}">{escape(name)}</text>')
    for name, level in levels.items():
        out.append(f'<path d="M{LEFT} {y(level):.1f}H{WIDTH - RIGHT}" stroke="#333" stroke-dasharray="5 4"/><text x="{WIDTH - RIGHT + 6}" y="{y(level) + 4:.1f}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--level", action="append", default=[], metavar="NAME=LOSS")
    parser.add_argument("-o", dest="output", type=Path, required=True)
    options = parser.parse_args()
    levels = {name: float(loss) for name, _, loss in (level.rpartition("=") for level in options.level)}
    options.output.write_text(draw({path.stem: read_log(path) for path in options.logs}, levels))


if __name__ == "__main__":
    main()
