# SPDX-License-Identifier: Apache-2.0
"""Intervals of runs of the real program, where there is one: those of `squall inspect`, and how
often they hold what the closed forms of a queue have."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ANALYSIS))

import squall
from squall import intervals
from squall.rows import Rows

from test_intervals import held, stated

PROGRAM = pathlib.Path(os.environ.get("SQUALL", ANALYSIS.parent / "build/src/squall"))
# M/M/1 at half its capacity, where the time from arrival to departure is exponential (Kleinrock,
# Queueing Systems I, 1975, section 5.7). How it began is forgotten within the warm-up.
QUEUE = """\
squall: 1
name: queue
duration: {duration}s
warmup: 1s
seed: 1
replications: {replications}
entities:
  users: {{type: client, target: web, arrivals: {{poisson: 50/s}}, call: {{timeout: none}}}}
  web: {{type: server, concurrency: 1, service_time: {{exponential: 10ms}}}}
"""
PER_S = 50  # requests [1/s]
MEAN_NS = 1e9 / (100 - PER_S)
REPLICATIONS = 4000
QUANTILES = (0.5, 0.9, 0.99)


@unittest.skipUnless(PROGRAM.exists(), "the program is not built")
class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def squall(self, *arguments):
        command = [PROGRAM, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def run_queue(self, replications, duration):
        text = QUEUE.format(replications=replications, duration=duration)
        (self.folder / "queue.yaml").write_text(text)
        self.squall("run", "--quiet", "--force", "queue.yaml")
        results = squall.open(self.folder / "queue.h5")
        self.addCleanup(results.close)
        return results

    def test_they_are_those_of_inspect(self):
        results = self.run_queue(7, 11)
        lines = json.loads(self.squall("inspect", "--json", "--entity=users", "queue.h5"))
        waits = Waits(results)
        seen = 0
        for line in lines:
            name, measure = line["statistic"], line["measure"]
            if f"stats/client/{name}" in results.h5:
                values = results.counter("client", name).values[0, :, 0].astype(float)
                scale = results.observed_s[0] if measure == "rate" else 1.0
                self.assert_same(line, intervals.mean(values / scale))
            elif name == "request_latency" and measure == "mean":
                self.assert_same(line, intervals.mean(waits.means))
            elif name == "request_latency" and measure in ("p50", "p90", "p99"):
                whole = waits.quantiles(np.arange(7)[None, None])
                place = QUANTILES.index(float(measure[1:]) / 100.0)
                ends = (whole.estimate, whole.low, whole.high)
                one = intervals.Interval(*(end[0, place] for end in ends), whole.confidence)
                self.assert_same(line, one)
            else:
                continue
            seen += 1
        self.assertGreater(seen, 40)

    def assert_same(self, line, found):
        """The estimate to the last digit, the width to what two libraries agree on."""
        what = f"{line['statistic']} {line['measure']}"
        self.assertEqual(line["value"], found.estimate, what)
        tolerance = 1e-13 * abs(found.estimate)
        self.assertAlmostEqual(line["half_width"], found.half_width, msg=what, delta=tolerance)

    @unittest.skipIf(os.environ.get("SQUALL_SLOW"), "thousands of replications")
    def test_they_hold_what_closed_forms_have(self):
        draws = np.random.default_rng(1)
        for requests in (500, 2000):
            waits = Waits(self.run_queue(REPLICATIONS, 1 + requests // PER_S))
            # Cut into studies of ten in two ways, for a figure with less noise.
            cuts = np.array([draws.permutation(REPLICATIONS).reshape(-1, 10) for _ in range(2)])
            means = waits.means[cuts.reshape(-1, 10)]
            self.state("mean", requests, held(intervals.mean(means), MEAN_NS))
            shares = held(waits.quantiles(cuts), -np.log1p(-np.array(QUANTILES)) * MEAN_NS)
            for p, share in zip(QUANTILES, shares):
                self.state(f"p{100 * p:g}", requests, share)

    def state(self, measure, requests, share):
        what = f"{measure} of 10 runs of M/M/1, {requests} requests each"
        self.assertAlmostEqual(100.0 * share, stated(what), delta=2.0, msg=what)


class Waits:
    """How long the requests of the only client took [ns]."""

    def __init__(self, results):
        group = results.h5["histograms/client/request_latency"]
        total, sum, least, largest = (
            group[leaf][0, :, 0] for leaf in ("total", "sum", "min", "max")
        )
        self.means = sum / total  # [replication]
        begins, bins, counts = (group[leaf][()] for leaf in ("offsets", "bin", "count"))
        edges = results.h5["histograms/edges"][()]
        self.rows = Rows(begins.astype(np.int64), bins, counts, edges, least, largest)
        self.own, _ = self.rows.quantiles(QUANTILES)

    def quantiles(self, cuts):
        """Of the replications of studies, [cut, study, replication], of which a cut has each once:
        [all studies, quantile]."""
        into = np.empty((len(cuts), len(self.own)), int)
        for places, cut in zip(into, cuts):
            places[cut] = np.arange(len(cut))[:, None]
        estimate = np.array(
            [self.rows.merged(places, cuts.shape[1]).quantiles(QUANTILES)[0] for places in into]
        )
        own = self.own[cuts.reshape(-1, cuts.shape[2])]
        return intervals.sectioning(own, estimate.reshape(-1, len(QUANTILES)), axis=1)


if __name__ == "__main__":
    unittest.main()
