"""Planning problems for tests: random ones of medium size, and an exact solve as a mixed-integer program (HiGHS)."""

from __future__ import annotations

import random

FORBIDDEN = 10**18  # as the files write it


def medium_problem(seed: int) -> dict:
    """30 to 60 nodes of 3 to 8 strategies, most edges local, and a memory limit near where plans stop fitting."""
    draw = random.Random(seed)
    count = min(draw.randint(30, 60), draw.randint(30, 60))  # mostly small: the exact solve takes seconds
    strategies = [min(draw.randint(3, 8), draw.randint(3, 8)) for _ in range(count)]
    # Strategies that hold more of a tensor are cheaper.
    parts = [[draw.choice([1, 2, 4, 8]) for _ in range(k)] for k in strategies]
    sizes = [draw.randint(1, 20) for _ in range(count)]
    bytes_of = [[part * size for part in row] for row, size in zip(parts, sizes)]
    costs = [[8 * size // part + draw.randint(0, 60) for part in row] for row, size in zip(parts, sizes)]
    pairs = [(i - 1, i) for i in range(1, count)] + [
        (max(0, i - draw.randint(2, 6)), i) for i in range(2, count) if draw.random() < 0.25]
    pairs = [pair if draw.random() < 0.8 else pair[::-1] for pair in pairs]
    matrices = [[0 if draw.random() < 0.25 else FORBIDDEN if draw.random() < 0.1 else draw.randint(1, 50)
                 for _ in range(strategies[a] * strategies[b])] for a, b in pairs]
    memory = [[{"lifetime": [i, i + draw.choice([1, 2, 2, 3, 3, count])], "bytes": bytes_of[i]}] for i in range(count)]
    for i in draw.sample(range(count), count // 5):  # used again later
        memory[i].append({"lifetime": [i + 10, i + 12], "bytes": bytes_of[i]})
    limit = peak_of(memory, [min(range(k), key=lambda s, i=i: bytes_of[i][s]) for i, k in enumerate(strategies)])
    cheap = peak_of(memory, [min(range(k), key=lambda s, i=i: costs[i][s]) for i, k in enumerate(strategies)])
    limit += int(draw.uniform(0.1, 0.7) * (cheap - limit))
    return {"problem": {"name": f"medium {seed}", "nodes": {"costs": costs, "memory": memory},
                        "edges": {"nodes": [list(pair) for pair in pairs], "costs": matrices}, "usage_limit": limit}}


def live_at(memory: list, step: int):
    """(node, bytes by strategy) of every use that lives at `step`."""
    return [(i, use["bytes"]) for i, uses in enumerate(memory) for use in uses
            if use["lifetime"][0] <= step < use["lifetime"][1]]


def peak_of(memory: list, choice: list[int]) -> int:
    steps = {use["lifetime"][0] for uses in memory for use in uses}
    return max(sum(row[choice[i]] for i, row in live_at(memory, step)) for step in steps)


def solve_exactly(document: dict) -> int | None:
    """The least cost, or None if no plan fits.

    A binary for each strategy and a continuous variable for each pair on an edge; the pairs of a row add up to the
    strategy of `from`, those of a column to that of `to`.
    """
    import highspy

    problem = document["problem"]
    nodes, edges = problem["nodes"], problem["edges"]
    model = highspy.Highs()
    model.silent()
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 0.5)  # costs are integers
    upper = lambda cost: 0 if cost >= FORBIDDEN else 1
    price = lambda cost: 0 if cost >= FORBIDDEN else cost
    chosen = [[model.addBinary(obj=price(c)) if upper(c) else model.addVariable(0, 0) for c in row] for row in nodes["costs"]]
    for row in chosen:
        model.addConstr(sum(row) == 1)
    for (a, b), costs in zip(edges["nodes"], edges["costs"]):
        columns = len(chosen[b])
        pairs = [model.addVariable(0, upper(c), obj=price(c)) for c in costs]
        for i, x in enumerate(chosen[a]):
            model.addConstr(sum(pairs[i * columns:(i + 1) * columns]) - x == 0)
        for j, x in enumerate(chosen[b]):
            model.addConstr(sum(pairs[j::columns]) - x == 0)
    for step in {use["lifetime"][0] for uses in nodes["memory"] for use in uses}:
        live = [size * chosen[i][s] for i, row in live_at(nodes["memory"], step) for s, size in enumerate(row)]
        model.addConstr(sum(live) <= problem["usage_limit"])
    model.minimize()
    if model.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return None
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal, model.getModelStatus()
    return round(model.getInfo().objective_function_value)
