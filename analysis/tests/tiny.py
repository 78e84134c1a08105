# SPDX-License-Identifier: Apache-2.0
"""A small results file laid out as squall lays it out, with numbers that can be checked by hand.

One sweep point, three replications of which the last is missing, two clients in two groups, one
server, four intervals of a second. Client e of replication r begins 10 (e + 1) requests in each
interval; those of `users` end well but for intervals 2 and 3 of replication 1.
"""

import pathlib

import h5py
import numpy as np

SECOND = 10**9  # [ns]
INTERVALS = 4
CONFIG = """\
name: tiny
duration: 4s
warmup: 500ms
timeline:
  - at: 1s
    for: 1s
    slow: web
    crash: ""  # default
    rate: ""  # default
    factor: 2
entities:
  users:
    type: client
    call:
      timeout: 300ms
"""
BUCKETS = np.arange(0, 101, 10, dtype=np.uint64)  # edges, ten wide [ns]


def described(file, path, values, unit="1", long_name="What: it is."):
    dataset = file.create_dataset(path, data=values)
    dataset.attrs["units"] = unit
    dataset.attrs["long_name"] = long_name
    return dataset


def requests_begun():
    """[point, replication, entity, interval]"""
    begun = np.zeros((1, 3, 2, INTERVALS), np.uint64)
    begun[:, :2] = np.array([10, 20], np.uint64)[:, None]
    return begun


def write_heads(file, config):
    file.attrs["filetype"] = "squall-results"
    file.attrs["schema"] = np.array([1, 0], np.uint64)
    file.attrs["title"] = "tiny"
    file.attrs["software"] = "squall 0.0.0"
    file["config_resolved"] = config
    file.create_group("plan").attrs.update(end_ns=4 * SECOND, warmup_ns=SECOND // 2)
    status = file.create_dataset("runs/status", data=np.array([[0, 0, 5]], np.uint64))
    status.attrs["flag_values"] = np.arange(6, dtype=np.uint64)
    status.attrs["flag_meanings"] = "ok event_limit watchdog budget_tripped failed missing"
    file["runs/sim_end"] = np.array([[4 * SECOND, 4 * SECOND, 0]], np.uint64)
    for type, names, groups, ids in (
        ("client", ["users", "bots[0]"], ["users", "bots"], [0, 2]),
        ("server", ["web"], ["web"], [1]),
    ):
        file[f"entities/{type}/entity"] = names
        file[f"entities/{type}/group"] = groups
        file[f"entities/{type}/id"] = np.array(ids, np.uint64)
        file[f"series/{type}/entity"] = names


def write_rows(file, group, rows):
    """`rows` are lists of (bucket, count)."""
    file[f"{group}/offsets"] = np.cumsum([0, *map(len, rows)], dtype=np.uint64)
    pairs = np.array([pair for row in rows for pair in row], np.uint64).reshape(-1, 2)
    file[f"{group}/bin"], file[f"{group}/count"] = pairs[:, 0], pairs[:, 1]


def write_histogram(file):
    """Values 0..99 in replication 0 of `users`; 42 once in replication 1; nothing else."""
    group = "histograms/client/request_latency"
    total, least, largest = (np.zeros((1, 3, 2), np.uint64) for _ in range(3))
    total[0, :2, 0], least[0, 1, 0], largest[0, :2, 0] = (100, 1), 42, (99, 42)
    for leaf, values in (("total", total), ("min", least), ("max", largest), ("sum", total)):
        described(file, f"{group}/{leaf}", values, "ns")
    write_rows(file, group, [[(b, 10) for b in range(10)], [], [(4, 1)], [], [], []])
    file["histograms/edges"] = BUCKETS


def write_series(file):
    begun = requests_begun()
    well = begun.copy()
    well[0, 1, 0, 2:] = 0
    file["series/interval"] = np.arange(INTERVALS, dtype=np.uint64) * SECOND
    file["series/interval_length"] = np.full(INTERVALS, SECOND, np.uint64)
    described(file, "series/client/logical_requests", begun)
    described(file, "series/client/requests_sent", 2 * begun)
    described(file, "series/client/successes", well)
    depth = np.zeros((1, 3, 1, INTERVALS), np.uint64)
    depth[0, :2, 0] = np.array([0, 7, 0, 0], np.uint64) * SECOND
    described(file, "series/server/queue_depth/time_integral", depth, "ns", "Integral: waiting.")
    group = "series/client/request_latency"
    described(file, f"{group}/total", begun, "1")
    write_rows(file, group, [[(interval, 5)] for interval in range(INTERVALS)] + [[]] * INTERVALS)


def flagged(file, path, values, meanings):
    dataset = described(file, path, np.array(values, np.uint64))
    dataset.attrs["flag_values"] = np.array(list(meanings), np.uint64)
    dataset.attrs["flag_meanings"] = " ".join(meanings.values())


def write_lines(file, group, columns):
    for leaf, values in columns.items():
        described(file, f"{group}/{leaf}", np.array(values, np.uint64))


def write_breakdown(file):
    """In replication 0 `users` got ten answers after 7 ns and a refusal after 29, in replication 1
    `bots[0]` none to two requests."""
    group = "breakdowns/client/latency"
    file["breakdowns/group"] = ["users", "web", "bots"]
    columns = {
        "point": [0, 0, 0],
        "replication": [0, 0, 1],
        "entity": [0, 0, 1],
        "peer": [1, 1, 1],
        "total": [10, 1, 2],
        "sum": [70, 29, 81],
        "min": [7, 29, 40],
        "max": [7, 29, 41],
    }
    write_lines(file, group, columns)
    flagged(file, f"{group}/status", [200, 418, 1], {1: "error_timeout", 200: "ok"})
    write_rows(file, group, [[(0, 10)], [(2, 1)], [(4, 2)]])


def write_trace(file):
    columns = {
        "point": [0, 0, 0],
        "replication": [0, 0, 1],
        "entity": [0, 0, 2],
        "time": [5, 9, 7],
        "request": [1, 1, 2],
        "attempt": [1, 2, 1],
        "wait": [0, 3, 0],
        "total": [0, 0, 6],
        "status": [0, 503, 0],
    }
    write_lines(file, "trace", columns)
    kinds = dict(enumerate(("request", "retry", "success", "failure", "state")))
    flagged(file, "trace/kind", [0, 1, 3], kinds)
    errors = dict(enumerate(("none", "timeout", "refused", "reset")))
    flagged(file, "trace/error", [0, 1, 3], errors)


def change(path: pathlib.Path, how) -> None:
    """Calls `how` with the file, opened for writing."""
    with h5py.File(path, "r+") as file:
        how(file)


def fall_silent(file) -> None:
    """Nothing is begun, sent or answered from interval 2 on."""
    for name in ("logical_requests", "requests_sent", "successes"):
        file[f"series/client/{name}"][..., 2:] = 0


def keep_no_queue(file) -> None:
    """As a run in which no server keeps time series."""
    del file["series/server"]


def add_a_server(file) -> None:
    """A second server, `db`, whose queue is as long as that of `web`."""
    for section in ("entities", "series"):
        for leaf in [leaf for leaf in ("entity", "group") if leaf in file[f"{section}/server"]]:
            del file[f"{section}/server/{leaf}"]
            file[f"{section}/server/{leaf}"] = ["web", "db"]
    path = "series/server/queue_depth/time_integral"
    depth = np.repeat(file[path][()], 2, axis=2)
    del file[path]
    described(file, path, depth, "ns", "Integral: waiting.")


def complete(file) -> None:
    """The sums without which histograms have no table."""
    file["plan"].attrs["interval_ns"] = SECOND


def open_breakers(file) -> None:
    """Of `users` one breaker is open in interval 1, and five in interval 2; of the server two in
    interval 1; half a one is half-open at the end, on both sides."""
    for name, levels in (
        ("open", ([0, 1, 5, 0], [0, 2, 0, 0])),
        ("half_open", ([0, 0, 0, 0.5], [0, 0, 0, 0.5])),
    ):
        for type, prefix, n, level in (
            ("client", "", 2, levels[0]),
            ("server", "downstream_", 1, levels[1]),
        ):
            values = np.zeros((1, 3, n, INTERVALS), np.uint64)
            values[0, :2, 0] = (np.array(level) * SECOND).astype(np.uint64)
            gauge = f"{type}/{prefix}breakers_{name}"
            described(file, f"series/{gauge}/time_integral", values, "ns", "Integral: breakers.")
            whole = values.sum(axis=3)
            described(file, f"gauges/{gauge}/time_integral", whole, "ns", "Sum: breakers.")
            described(file, f"gauges/{gauge}/max", whole)


def sweep_the_trigger(file) -> None:
    """A second point like the first, but for a trigger that lasts 2 s."""
    file["axes/timeline[0].for"] = np.array([1.0, 2.0])
    file["axes/timeline[0].for"].attrs["units"] = "s"
    points = [
        *("runs/status", "runs/sim_end"),
        *(f"series/client/{name}" for name in ("logical_requests", "requests_sent", "successes")),
        "series/client/request_latency/total",
        "series/server/queue_depth/time_integral",
    ]
    for path in points:
        values, attributes = np.repeat(file[path][()], 2, axis=0), dict(file[path].attrs)
        del file[path]
        file[path] = values
        file[path].attrs.update(attributes)
    group = "series/client/request_latency"
    del file[f"{group}/offsets"], file[f"{group}/bin"], file[f"{group}/count"]
    rows = [[(interval, 5)] for interval in range(INTERVALS)] + [[]] * INTERVALS
    write_rows(file, group, 2 * rows)


def write(path: pathlib.Path, config: str = CONFIG) -> None:
    with h5py.File(path, "w") as file:
        write_heads(file, config)
        described(file, "stats/client/requests_sent", 2 * requests_begun().sum(axis=3), "1")
        integral = np.array([[[7 * SECOND], [14 * SECOND], [0]]], np.uint64)
        described(file, "gauges/server/queue_depth/time_integral", integral, "ns", "Sum: waiting.")
        described(file, "gauges/server/queue_depth/max", integral // SECOND)
        write_histogram(file)
        write_series(file)
        write_breakdown(file)
        write_trace(file)
