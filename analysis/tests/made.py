# SPDX-License-Identifier: Apache-2.0
"""Results files with whatever numbers a test wants, laid out as squall lays them out.

Intervals are of a second, the warm-up is none, and statistics of whole runs are the sums of the
series. Counters that are not given are 0.
"""

import pathlib

import h5py
import numpy as np
import yaml

SECOND = 10**9  # [ns]
CALLS = (
    "logical_requests",
    "successes",
    "failures",
    "abandoned",
    "requests_sent",
    "responses_received",
    "errors",
    "timeouts",
    "refused",
    "cancelled",
    "late_responses",
    "late_successes",
    "rate_limited",
    "circuit_broken",
    "throttled",
    "low_timeouts",
    "dropped",
    "connection_wait_timeouts",
)
COUNTERS = {
    "client": CALLS,
    "server": (
        "requests_received",
        "requests_missed",
        "requests_completed",
        "total_service_time",
        *(f"downstream_{name}" for name in CALLS),
    ),
}
LEVELS = {
    "client": ("breakers_open", "breakers_half_open"),
    "server": ("queue_depth", "busy_workers"),
}


def timeline(*rows):
    """As a resolved configuration has it: (at, for, kind, whom, factor)."""
    return [
        {"at": f"{at}s", "for": f"{lasts}s", kind: whom, "factor": str(factor)}
        for at, lasts, kind, whom, factor in rows
    ]


def write(
    path: pathlib.Path,
    who: dict,
    *,
    rows=(),
    entities=None,
    axes=None,
    complete=None,
    seed=1,
    seeds="common",
    antithetic=False,
    warmup=0,
) -> pathlib.Path:
    """`who` are entities by type and name, `group` or `group[number]`: their statistics, each
    broadcast to [point, replication, interval]. `rows` are the timeline, `entities` what the
    configuration says of groups, `axes` by path (values, unit), `complete` which replications ran
    to their end: [point, replication]."""
    statistics = [it for there in who.values() for one in there.values() for it in one.values()]
    shape = np.broadcast_shapes((1, 1, 1), *map(np.shape, statistics))
    points, replications, intervals = shape
    groups = {group_of(name): type for type, there in who.items() for name in there}
    config = {
        "name": "made",
        "seeds": seeds,
        "replications": {"antithetic": "true" if antithetic else "false"},
        "timeline": list(rows),
        "entities": {
            group: {"type": type, **(entities or {}).get(group, {})}
            for group, type in groups.items()
        },
    }
    with h5py.File(path, "w") as file:
        file.attrs.update(filetype="squall-results", schema=np.array([1, 2], np.uint64))
        file.attrs.update(title="made", software="squall 0.0.0", seed=np.uint64(seed))
        file["config_resolved"] = yaml.safe_dump(config)
        file.create_group("plan").attrs.update(
            end_ns=intervals * SECOND, warmup_ns=warmup * SECOND, n_points=points
        )
        ran = np.ones((points, replications), bool) if complete is None else np.array(complete)
        status = file.create_dataset("runs/status", data=np.where(ran, 0, 5).astype(np.uint64))
        status.attrs["flag_values"] = np.arange(6, dtype=np.uint64)
        status.attrs["flag_meanings"] = "ok event_limit watchdog budget_tripped failed missing"
        file["runs/sim_end"] = np.full((points, replications), intervals * SECOND, np.uint64)
        file["point"] = file["axes/point"] = np.arange(points, dtype=np.uint64)
        file["replication"] = np.arange(replications, dtype=np.uint64)
        for name, (values, unit) in (axes or {}).items():
            described(file, f"axes/{name}", np.array(values), unit)
        file["series/interval"] = np.arange(intervals, dtype=np.uint64) * SECOND
        file["series/interval_length"] = np.full(intervals, SECOND, np.uint64)
        number = 0
        for type, there in who.items():
            write_type(file, type, there, shape, number)
            number += len(there)
    return path


def group_of(name):
    return name.partition("[")[0]


def write_type(file, type, there, shape, number):
    names = list(there)
    ids = np.arange(number, number + len(names), dtype=np.uint64)
    for section in ("entities", "series"):
        file[f"{section}/{type}/entity"] = names
        file[f"{section}/{type}/group"] = [group_of(name) for name in names]
        file[f"{section}/{type}/id"] = ids
    for name in (*COUNTERS[type], *LEVELS[type]):
        values = np.stack(
            [np.broadcast_to(one.get(name, 0), shape) for one in there.values()], axis=2
        ).astype(np.uint64)
        if name in LEVELS[type]:
            for section, it in ((f"series/{type}", values), (f"gauges/{type}", values.sum(axis=3))):
                described(file, f"{section}/{name}/time_integral", it * np.uint64(SECOND), "ns")
        else:
            described(file, f"series/{type}/{name}", values)
            described(file, f"stats/{type}/{name}", values.sum(axis=3))


def described(file, path, values, unit="1"):
    dataset = file.create_dataset(path, data=values)
    dataset.attrs["units"] = unit
    dataset.attrs["long_name"] = "What: it is."
