# SPDX-License-Identifier: Apache-2.0
"""Small results files of a sweep, with numbers known by hand: what tiny.py has, at several points.

Client `users` of replication r at point k begins 100 requests, of which 100 - 10 k - r end well;
the queue at `web` is 7 (r + 1) at its longest, everywhere.
"""

import pathlib

import h5py
import numpy as np

import tiny

REPLICATIONS = 3  # of which the last is missing


def _widened(file, path, n):
    """The dataset for `n` points, each like the first."""
    dataset = file[path]
    values, attributes = np.repeat(dataset[()], n, axis=0), dict(dataset.attrs)
    del file[path]
    file[path] = values
    file[path].attrs.update(attributes)


def write(path: pathlib.Path, axes: dict, config: str = tiny.CONFIG) -> None:
    """A file whose points have these values, one each: numbers with their unit, (values, "s"), or
    texts."""
    values = next(iter(axes.values()))
    n = len(values[0] if isinstance(values, tuple) else values)
    tiny.write(path, config)
    with h5py.File(path, "r+") as file:
        for name in ("runs/status", "runs/sim_end", "stats/client/requests_sent"):
            _widened(file, name, n)
        for name in ("time_integral", "max"):
            _widened(file, f"gauges/server/queue_depth/{name}", n)
        del file["series"]
        begun = np.full((n, REPLICATIONS, 2), 100, np.uint64)
        well = begun - 10 * np.arange(n, dtype=np.uint64)[:, None, None]
        well -= np.arange(REPLICATIONS, dtype=np.uint64)[:, None]
        tiny.described(file, "stats/client/logical_requests", begun)
        tiny.described(file, "stats/client/successes", well)
        _histograms(file, n)
        file.create_group("axes", track_order=True)
        for path_of, given in axes.items():
            _write_axis(file, path_of, given)


def _histograms(file, n):
    """Ten values of `users` in bucket k of point k, in replications 0 and 1."""
    group = "histograms/client/request_latency"
    del file[group]
    shape = (n, REPLICATIONS, 2)
    total, least, largest = (np.zeros(shape, np.uint64) for _ in range(3))
    bucket = np.arange(n, dtype=np.uint64)[:, None]
    total[:, :2, 0], least[:, :2, 0], largest[:, :2, 0] = 10, 10 * bucket, 10 * bucket + 9
    for leaf, values in (("total", total), ("min", least), ("max", largest), ("sum", total)):
        tiny.described(file, f"{group}/{leaf}", values, "ns")
    rows = [[(k, 10)] if t else [] for k in range(n) for t in total[k].reshape(-1)]
    tiny.write_rows(file, group, rows)


def _write_axis(file, path, given):
    if isinstance(given, tuple):
        values, unit = given
        file[f"axes/{path}"] = np.array(values, float)
        file[f"axes/{path}"].attrs["units"] = unit
    else:
        file[f"axes/{path}"] = list(given)


def write_search(file, path, unit, where, found):
    """What a search along `path` found: estimate, low and high each."""
    for leaf, values in zip(("estimate", "low", "high"), zip(*found)):
        values, about = np.array(values, float), f"Threshold on {path}"
        tiny.described(file, f"search/{leaf}", values, unit, about)
    file["search/where"] = where
    meanings = {0: "open", 1: "found"}
    tiny.flagged(file, "search/outcome", [1] * len(found), meanings)
