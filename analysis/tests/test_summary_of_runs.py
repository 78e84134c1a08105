# SPDX-License-Identifier: Apache-2.0
"""The summary of what the program ran says what `squall inspect --csv` says of it."""

import io
import subprocess
import unittest

import numpy as np
import pandas

from measured import PROGRAM, RealTest, real

KEY = ["point", "group", "statistic", "measure"]
GIVEN_UP = 4  # exit status where replications did not end well
ANTITHETIC = """\
squall: 1
duration: 5s
replications: {min: 8, max: 8, antithetic: true}
entities:
  users: {type: client, count: 2, target: web, arrivals: {poisson: 60/s}, call: {timeout: 300ms}}
  web: {type: server, count: 2, concurrency: 2, service_time: {exponential: 10ms}}
"""
BREAKDOWNS = "output: {breakdowns: [users]}\n"


@real
class Summaries(RealTest):
    def study(self, text):
        path = self.folder / "study.yaml"
        path.write_text(text)
        return path

    def table(self, *words, status=0):
        """What the program prints as CSV, without breakdowns."""
        done = subprocess.run([PROGRAM, *words, "--csv"], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        table = pandas.read_csv(io.StringIO(done.stdout), float_precision="round_trip")
        return table[table["peer"].isna()]

    def assert_alike(self, results):
        inspected, mine = self.table("inspect", results.path), results.summary()
        inspected, mine = inspected.set_index(KEY), mine.set_index(KEY)
        self.assertEqual(set(inspected.index), set(mine.index))
        both = inspected.join(mine, rsuffix="_mine")
        for column in ("value", "half_width", "replications", "bound"):
            told = both[f"{column}_mine"].astype(float).replace(np.inf, np.nan)
            # Quantiles of Student's t may differ in the last digit.
            near = 1e-14 if column == "half_width" else 0
            np.testing.assert_allclose(both[column], told, rtol=near, err_msg=column)
        self.assertTrue((both["unit"] == both["unit_mine"]).all())

    def test_antithetic_pairs(self):
        whole = self.run_program(self.study(ANTITHETIC + BREAKDOWNS))
        self.assert_alike(whole)
        self.assertTrue(whole.counted.all())

    def test_of_broken_antithetic_pairs_nothing_counts(self):
        study = self.study(ANTITHETIC)
        events = np.sort(self.run_program(study).h5["runs/events"][0])
        results = self.run_program(study, f"event_limit={events[5]}", status=GIVEN_UP)
        complete, counted = results.complete[0], results.counted[0]
        self.assertGreater(complete.sum(), counted.sum())
        self.assertGreater(counted.sum(), 0)
        self.assert_alike(results)

    def test_points_of_unlike_warmups_and_replications(self):
        sweep = "sweep: {web.count: [1, 2], users.arrivals.poisson: [20/s, 90/s]}\n"
        stop = "{min: 3, max: 9, until: {stat: users.successes, half_width: 20}}"
        study = ANTITHETIC.replace("{min: 8, max: 8, antithetic: true}", stop) + sweep
        changes = ("warmup=auto", "interval=100ms")
        results = self.run_program(self.study(study), *changes)
        self.assertGreater(len(np.unique(results.warmup_at_s)), 1)
        self.assertGreater(len(np.unique(results.complete.sum(axis=1))), 1)
        self.assert_alike(results)

    def assert_compared_alike(self, results, other, method):
        names = {"point_a": "point", "point_b": "other_point", "a": "value", "b": "other_value"}
        printed = self.table("compare", results.path, other.path, status=1).rename(columns=names)
        mine = results.compare(other)
        key = [KEY[0], "other_point", *KEY[1:]]
        printed, mine = printed.set_index(key), mine.set_index(key)
        self.assertEqual(set(printed.index), set(mine.index))
        both = printed.join(mine, rsuffix="_mine")
        for column in ("value", "other_value", "difference", "half_width", "bound", "chance"):
            told = both[f"{column}_mine"].astype(float).replace(np.inf, np.nan)
            np.testing.assert_allclose(both[column], told, rtol=1e-11, err_msg=column)
        self.assertEqual(both["verdict"].tolist(), both["verdict_mine"].tolist())
        self.assertEqual(set(both["method_mine"]), {method})
        return mine

    def test_comparisons_by_replication(self):
        study = self.study(ANTITHETIC.replace(", antithetic: true", ""))
        results, other = self.run_program(study), self.run_program(study, "web.concurrency=1")
        mine = self.assert_compared_alike(results, other, "paired")
        self.assertIn("beyond", set(mine["verdict"]))

    def test_comparisons_of_unlike_seeds_and_numbers(self):
        study = self.study(ANTITHETIC.replace(", antithetic: true", ""))
        changes = ("seed=9", "replications=5", "users.call.timeout=200ms")
        results, other = self.run_program(study), self.run_program(study, *changes)
        self.assert_compared_alike(results, other, "welch")

    def test_comparisons_of_pairs_of_which_some_are_broken(self):
        study = self.study(ANTITHETIC)
        whole = self.run_program(study)
        limit = np.sort(whole.h5["runs/events"][0])[5]
        other = self.run_program(study, f"event_limit={limit}", status=GIVEN_UP)
        self.assert_compared_alike(whole, other, "paired")

    def test_comparisons_of_sweeps_by_what_points_have(self):
        sweeps = ("[1, 2, 3]", "[3, 1]")
        studies = [f"{ANTITHETIC}sweep: {{web.count: {counts}}}\n" for counts in sweeps]
        results = self.run_program(self.study(studies[0]))
        other = self.run_program(self.study(studies[1]), "users.call.timeout=1s")
        mine = self.assert_compared_alike(results, other, "paired").reset_index()
        matched = mine[["point", "other_point"]].drop_duplicates().to_numpy().tolist()
        self.assertEqual(sorted(matched), [[0, 1], [2, 0]])

    def test_runs_are_told_as_they_ended(self):
        study = self.study(ANTITHETIC)
        events = np.sort(self.run_program(study).h5["runs/events"][0])
        results = self.run_program(study, f"event_limit={events[5]}", status=GIVEN_UP)
        runs = results.runs()
        self.assertEqual((runs["status"] == "ok").tolist(), results.complete[0].tolist())
        self.assertEqual(set(runs["status"]), {"ok", "event_limit"})
        self.assertEqual(runs.loc[(0, 0), "observed"], results.observed_s[0, 0])
        self.assertTrue((runs["wall"] > 0).all())


if __name__ == "__main__":
    unittest.main()
