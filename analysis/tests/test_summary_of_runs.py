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
output: {breakdowns: [users]}
"""


@real
class Summaries(RealTest):
    def study(self, text):
        path = self.folder / "study.yaml"
        path.write_text(text)
        return path

    def inspected(self, results):
        done = subprocess.run(
            [PROGRAM, "inspect", results.path, "--csv"], capture_output=True, text=True, check=True
        )
        table = pandas.read_csv(io.StringIO(done.stdout), float_precision="round_trip")
        return table[table["peer"].isna()].set_index(KEY)

    def assert_alike(self, results):
        inspected, mine = self.inspected(results), results.summary().set_index(KEY)
        self.assertEqual(set(inspected.index), set(mine.index))
        both = inspected.join(mine, rsuffix="_mine")
        for column in ("value", "half_width", "replications", "bound"):
            told = both[f"{column}_mine"].astype(float).replace(np.inf, np.nan)
            # Quantiles of Student's t may differ in the last digit.
            near = 1e-14 if column == "half_width" else 0
            np.testing.assert_allclose(both[column], told, rtol=near, err_msg=column)
        self.assertTrue((both["unit"] == both["unit_mine"]).all())

    def test_antithetic_pairs(self):
        whole = self.run_program(self.study(ANTITHETIC))
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


if __name__ == "__main__":
    unittest.main()
