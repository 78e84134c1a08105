# SPDX-License-Identifier: Apache-2.0
"""A study gives the same results on any number of ranks."""
import sys
import pathlib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SLOW, OutsideTest, differences  # noqa: E402


class Ranks(OutsideTest):
    def check(self, name, *more):
        study = HERE / f"{name}.yaml"
        self.squall("run", study, "--output", "1.h5", *more)
        for ranks in (2, 3, 4):
            self.squall("run", study, "--output", f"{ranks}.h5", *more, ranks=ranks)
            self.assert_same_results("1.h5", f"{ranks}.h5")

    def test_storm(self):
        self.check("storm")

    def test_closed_loop(self):
        self.check("closed")

    def test_many_short_replications(self):
        self.check("many", *(["--set", "replications=300"] if SLOW else []))

    def test_fewer_replications_than_ranks(self):
        self.check("closed", "--set", "replications=2", "--set", "duration=3s")

    def test_the_comparison_can_fail(self):
        for seed in (1, 2):
            self.squall("run", HERE / "closed.yaml", "--output", f"{seed}.h5",
                        "--set", f"seed={seed}", "--set", "duration=3s")
        found = differences(self.folder / "1.h5", self.folder / "2.h5")
        for place in ("@results_digest", "runs/digest", "stats/client/requests_sent",
                      "histograms/server/sojourn_time/bin"):
            self.assertIn(place, found)
        self.assertNotIn("replication", found)


if __name__ == "__main__":
    unittest.main()
