# SPDX-License-Identifier: Apache-2.0
"""The numbers of a results file are the same whoever reads them: squall inspect, pandas, xarray.

Every configuration that comes with the program is run for a short while, and looked at in each way.
"""
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import unittest
from unittest import mock

import matplotlib
import numpy as np
import pandas
import xarray

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "parallel"),
                str(HERE.parent.parent / "analysis")]
from outside import SOURCE, OutsideTest  # noqa: E402
from test_ranks import SHORTER  # noqa: E402

import squall.__main__  # noqa: E402
from squall import intervals  # noqa: E402

CONFIGS = SOURCE / "configs"
KEY = ["point", "group", "statistic", "measure"]
HALF_WIDTH = 1e-12  # relative: how far half widths may lie apart
# How much of a sweep is run here, by its name; a new one needs its row.
FEWER = {
    "breaking_load": ["replications=2", "duration=60s", "search.measure.from=50s",
                      "search.measure.to=60s",
                      "search.axis={users.arrivals.poisson: {from: 100/s, to: 1060/s, steps: 3}}"],
    "sensitivity": ["replications=2", "duration=10s", "sweep.morris.trajectories=2"],
    "storm_map": ["replications=3", "duration=30s",
                  "sweep={users.arrivals.poisson: {from: 200/s, to: 900/s, steps: 3},"
                  " 'timeline[0].for': [100ms, 2s]}"],
    "tuning": ["duration=20s", "sweep.sobol.points=4"],
}


class Agreement(OutsideTest):
    looked_at = set()  # types, by plain xarray

    def run_short(self, name, study, *changes):
        self.squall("run", CONFIGS / study, "--quiet", "--output", f"{name}.h5", *changes)
        return self.folder / f"{name}.h5"

    def test_scenarios(self):
        for study in sorted((CONFIGS / "scenarios").glob("*.yaml")):
            with self.subTest(study.stem):
                more = ["--set", "replications=2", *SHORTER[study.stem]]
                self.check(self.run_short(study.stem, study, *more))

    def test_sweeps(self):
        for study in sorted((CONFIGS / "sweeps").glob("*.yaml")):
            with self.subTest(study.stem):
                more = [word for change in FEWER[study.stem] for word in ("--set", change)]
                self.check(self.run_short(study.stem, study, *more))

    def test_first(self):
        """From the command line, too, a picture takes one command."""
        path = self.run_short("first", "first.yaml", "--set", "replications=3")
        self.check(path)
        picture = self.folder / "command.png"
        command = [sys.executable, "-B", "-m", "squall", "plot", path, "-o", picture]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE / "analysis")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(picture.read_bytes()[:4], b"\x89PNG")

    def check(self, path):
        with squall.open(path) as results:
            self.assertTrue(results.complete.any())
            inspected = self.inspected(path)
            self.check_summary(results, inspected)
            for type in results.types:
                frame, stats = results.frame(type), results.stats(type)
                self.check_frame(frame, stats)
                self.check_plain_xarray(results, type, stats)
                self.check_means(results, type, frame, inspected)
        self.check_picture(path)

    def inspected(self, path):
        """What squall inspect says, but for breakdowns."""
        text, _ = self.squall("inspect", "--csv", path)
        table = pandas.read_csv(io.StringIO(text), float_precision="round_trip")
        return table[table.peer.isna()]

    def check_summary(self, results, inspected):
        """pandas against squall inspect, row by row."""
        both = results.summary().merge(inspected, on=KEY, how="outer", suffixes=("", "_c"),
                                       indicator=True)
        alone = both[both["_merge"] != "both"]
        self.assertEqual(len(alone), 0, alone[[*KEY, "_merge"]].head(20).to_string())
        for column in ("value", "bound", "replications", *results.axes):
            np.testing.assert_array_equal(both[column], both[column + "_c"], column)
        self.assertEqual(both.unit.tolist(), both.unit_c.tolist())
        known = np.isfinite(both.half_width)
        np.testing.assert_allclose(both.half_width[known], both.half_width_c[known], HALF_WIDTH)
        self.assertTrue(both.half_width_c[~known].isna().all())

    def check_frame(self, frame, stats):
        """pandas against xarray: every number of every replication that ran to its end."""
        there = stats.to_dataframe().loc[frame.index]
        for name in stats:
            np.testing.assert_array_equal(frame[name], there[name], name)

    def check_plain_xarray(self, results, type, stats):
        """The same file without the package, by its conventions alone: the first gauge and
        histogram; and all counters, of which opening takes a while, of a type that was not looked
        at yet."""
        first = {kind: name for name, kind in reversed(results.statistics(type).items())}
        if type not in self.looked_at:
            self.looked_at.add(type)
            for name, values in self.opened(results, f"stats/{type}").items():
                np.testing.assert_array_equal(stats[name], values, name)
                self.assertEqual(stats[name].attrs["units"], values.attrs["units"])
                self.assertEqual(stats[name].dims, values.dims)
        if name := first.get("gauge"):
            gauge = self.opened(results, f"gauges/{type}/{name}")
            mean = gauge.time_integral / 1e9 / results.observed_s[:, :, None]
            np.testing.assert_array_equal(stats[name], mean, name)
            np.testing.assert_array_equal(stats[f"{name}_max"], gauge["max"], name)
        if name := first.get("histogram"):
            values = self.opened(results, f"histograms/{type}/{name}")
            np.testing.assert_array_equal(stats[f"{name}_count"], values.total, name)
            some = values.total.values > 0
            np.testing.assert_array_equal(stats[f"{name}_mean"].values[some],
                                          (values["sum"] / values.total).values[some], name)

    def check_picture(self, path):
        """Whatever the file, there is a picture that suits it; a small one is made in less time."""
        picture = path.with_suffix(".png")
        words = ["squall", "plot", str(path), "-o", str(picture)]
        complaint = io.StringIO()
        with (mock.patch.object(sys, "argv", words), contextlib.redirect_stderr(complaint),
              matplotlib.rc_context({"savefig.dpi": 30})):
            self.assertEqual(squall.__main__.main(), 0, complaint.getvalue())
        self.assertEqual(picture.read_bytes()[:4], b"\x89PNG")

    def opened(self, results, group):
        dataset = xarray.open_dataset(results.path, group=group, engine="h5netcdf")
        self.addCleanup(dataset.close)
        return dataset

    def check_means(self, results, type, frame, inspected):
        """Means over the rows of pandas against squall inspect."""
        counters = [name for name, kind in results.statistics(type).items() if kind == "counter"]
        means = inspected[inspected.measure == "mean"].pivot(index=["point", "group"],
                                                             columns="statistic", values="value")
        together = frame.groupby(["point", "replication", "group"], sort=False)[counters].sum()
        for (point, group), rows in together.groupby(["point", "group"]):
            values = rows.to_numpy(float)
            if results.antithetic:
                values = intervals.antithetic(values, axis=0)
            np.testing.assert_array_equal(intervals.mean(values, axis=0).estimate,
                                          means.loc[(point, group), counters])


if __name__ == "__main__":
    unittest.main()
