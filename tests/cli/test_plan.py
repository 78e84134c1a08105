# SPDX-License-Identifier: Apache-2.0
"""What plan says of models that can be divided well, badly, or not at all."""
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SOURCE, OutsideTest  # noqa: E402

STORM = HERE.parent / "parallel/storm.yaml"
CLOSED = HERE.parent / "parallel/closed.yaml"
MESH = SOURCE / "configs/scenarios/mesh.yaml"

CHAIN = """squall: 1
name: chain
duration: 20s
replications: 6
entities:
  users: {type: client, target: first, arrivals: {kind: poisson, rate: 1000000/s}}
  first: {type: server, concurrency: 9, service_time: 1us, calls: [{target: second}]}
  second: {type: server, concurrency: 9, service_time: 1us, calls: [{target: third}]}
  third: {type: server, concurrency: 9, service_time: 1us}
network:
  - {from: users, to: first, latency: 5ms}
  - {from: first, to: second, latency: 2ms, jitter: {exponential: 1ms}}
  - {from: second, to: third, latency: 3ms}
"""

GLUED = """squall: 1
name: glued
duration: 1m
replications: 4
entities:
  users: {type: client, count: 40, target: front, arrivals: {kind: poisson, rate: 500/s}}
  front: {type: server, count: 20, concurrency: 99, service_time: 1ms, calls: [{target: store}]}
  store: {type: server, concurrency: 99, service_time: 1ms}
network:
  - {from: users, to: front, latency: {exponential: 1ms}}
"""

CELLS = """squall: 1
name: cells
duration: 10s
entities:
  users: {type: client, count: 64, target: {to: web, cells: 64},
          arrivals: {kind: poisson, rate: 100000/s}}
  web: {type: server, count: 64, concurrency: 99, service_time: 1us}
network:
  - {latency: 1ms}
"""


class Plan(OutsideTest):
    def plan(self, study, *more):
        """What plan says of a configuration, a text or a file."""
        if isinstance(study, str):
            (self.folder / "study.yaml").write_text(study)
            told, complaints = self.squall("plan", "study.yaml", *more)
            self.assertLessEqual(max(map(len, told.splitlines())), 100)
        else:
            told, complaints = self.squall("plan", study, *more)
        self.assertEqual(complaints, "")
        return told

    def rows(self, told):
        """The table of divisions: from ranks to cells by their heads."""
        lines = iter(told.splitlines())
        heads = next(line for line in lines if re.match(r"  ranks +entities", line)).split()
        found = {}
        for line in lines:
            if not line:
                return found
            cells = re.split(r"\s{2,}", line.strip())
            found[int(cells[0].split()[0])] = dict(zip(heads, cells))
        self.fail(told)

    def share(self, text):
        return float(text.removesuffix(" %")) / 100

    def flat(self, told):
        return " ".join(told.split())

    def test_a_graph_that_cannot_be_cut(self):
        told = self.flat(self.plan(GLUED))
        self.assertIn("The model cannot be divided: wires without delay join all of its 61 "
                      "entities", told)
        # One law begins at 0; the other wires have no rule.
        self.assertIn("users -> front 800 may be as short as 0, study.yaml:10", told)
        self.assertIn("front -> store 20 no rule of the network is for it", told)
        self.assertIn("give wires named above a latency", told)
        self.assertIn("4 ranks run the study's 4 replications 4 times as fast", told)
        self.assertNotIn("efficiency", told)

    def test_what_was_advised_helps(self):
        needed = re.search(r"From about (\S+) on, two ranks would pay", self.plan(GLUED)).group(1)
        told = self.plan(GLUED, "--set", f"network=[{{latency: {needed}}}]", "--ranks", 2)
        self.assertIn("Dividing the model is worth it", told)

    def test_a_large_piece(self):
        """Where all servers share a store, their piece is what most ranks wait for."""
        told = self.plan(GLUED, "--set", "network[0].latency=50ms", "--ranks", 4)
        share = re.search(r"largest has 21 of 61 entities and (\d+) % of the events", told)
        self.assertIsNotNone(share, told)
        rows = self.rows(told)
        self.assertEqual(list(rows), [2, 4])
        bound = 100 / int(share.group(1))
        for row in rows.values():
            self.assertEqual(row["events"], share.group(1) + " %")
            self.assertLess(float(row["speed-up"]), bound * 1.02)
        self.assertIn("One piece of the model has", self.flat(told))

    def test_watched_entities_stay_together(self):
        told = self.flat(self.plan(CELLS, "--set", "failure_budget.threshold=1%", "--ranks", 8))
        self.assertIn("pieces 65: the failure budget keeps 64 entities together", told)
        self.assertIn("One piece of the model has 50 % of the events: the failure budget joins its "
                      "entities", told)
        told = self.flat(self.plan(GLUED, "--set", "failure_budget.threshold=1%"))
        self.assertIn("pieces 1: 820 wires without delay join entities the failure budget keeps 40 "
                      "entities together", told)

    def test_one_entity_has_it_all(self):
        told = self.flat(self.plan(CELLS, "--set", "web.count=none", "--set",
                                   "users.target.cells=1", "--ranks", 8))
        self.assertIn("One entity has 50 % of the events, and an entity cannot be divided", told)

    def test_a_chain(self):
        told = self.plan(CHAIN, "--ranks", 8)
        self.assertIn("pieces as many as entities", self.flat(told))
        rows = self.rows(told)
        self.assertEqual(list(rows), [2, 4])  # no more than there are entities
        # Each division is between whole entities; all are apart on 4 ranks.
        self.assertEqual([rows[4][c] for c in ("entities", "cut", "remote", "lookahead")],
                         ["1", "3", "100 %", "2ms"])
        self.assertIn("Lookahead from 2 ranks on: 2ms, by first -> second (study.yaml:12)", told)
        self.assertIn("More than 4 ranks would find nothing to do.", told)
        # Six replications on 8 ranks: one team of 4 more would not be faster.
        self.assertIn("soonest when each replication has a rank of its own", self.flat(told))

    def test_the_matrix_is_closed(self):
        """On 4 ranks the chain's parts are 5, 2 and 3 ms apart; a part reaches itself by way of
        its nearest neighbour."""
        told = self.plan(CHAIN, "--ranks-per-replication", 4)
        cells = [line.split()[4:] for line in told.splitlines()
                 if re.match(r"  rank \d of 4", line)]
        self.assertEqual(len(cells), 4)
        self.assertEqual(sorted(cells[i][i] for i in range(4)), ["10ms", "4ms", "4ms", "6ms"])
        for i in range(4):
            for j in range(4):
                self.assertEqual(cells[i][j], cells[j][i])
        apart = sorted(cells[i][j] for i in range(4) for j in range(i))
        self.assertEqual(apart, ["10ms", "2ms", "3ms", "5ms", "5ms", "7ms"])

    def test_cells_are_kept_whole(self):
        told = self.plan(CELLS, "--ranks", 16)
        for ranks, row in self.rows(told).items():
            self.assertEqual((int(row["entities"]), row["cut"], row["remote"], row["lookahead"]),
                             (128 // ranks, "0", "0 %", "all"))
            self.assertGreater(self.share(row["efficiency"]), 0.99)
        self.assertIn("No wire leads from rank to rank", told)
        told = self.plan(CELLS, "--ranks", 16, "--partition", "shuffle:3")
        for row in self.rows(told).values():
            self.assertNotEqual(row["cut"], "0")
            self.assertEqual(row["lookahead"], "1ms")

    def test_a_mesh(self):
        told = self.plan(MESH, "--ranks", 16)
        rows = self.rows(told)
        self.assertEqual(list(rows), [2, 4, 8, 16])
        for ranks, row in rows.items():
            self.assertEqual(row["lookahead"], "250us")
            self.assertAlmostEqual(float(row["speed-up"]), ranks * self.share(row["efficiency"]),
                                   delta=0.01 * ranks)
        efficiencies = [self.share(row["efficiency"]) for row in rows.values()]
        self.assertEqual(efficiencies, sorted(efficiencies, reverse=True))
        self.assertIn("Dividing the model is worth it", told)
        # Where lines break depends on the length of the path.
        self.assertRegex(" ".join(told.split()),
                         r"Lookahead from 2 ranks on: 250us, by .* -> .* \(.*mesh\.yaml:\d+\)")

    def test_longer_links_are_better(self):
        efficiencies = [
            self.share(self.rows(self.plan(MESH, "--set", f"network[0].latency={latency}",
                                           "--ranks-per-replication", 8))[8]["efficiency"])
            for latency in ("50us", "250us", "1ms", "10ms")]
        self.assertEqual(efficiencies, sorted(efficiencies))
        self.assertLess(efficiencies[0], 0.5)
        self.assertGreater(efficiencies[-1], 0.7)

    def test_many_ranks_are_estimated(self):
        told = self.plan(MESH, "--set", "network[0].latency=1s", "--ranks-per-replication", 2048)
        self.assertEqual(list(self.rows(told)), [512, 2048])
        self.assertRegex(told, r"\n  2048 \* ")
        self.assertIn("estimated from the row before", self.flat(told))

    def test_small_models_are_not_worth_it(self):
        for study in (STORM, CLOSED):
            told = self.flat(self.plan(study))
            self.assertIn("Dividing the model is not worth it", told)
            self.assertRegex(told, r"Replications side by side need not wait .* [57] times as fast")

    def test_a_profile_sees_retries(self):
        """Nobody is answered in time, so that everybody asks four times."""
        change = ("--set", "duration=60s", "--set", "web.service_time=10s", "--set",
                  "users.arrivals={kind: poisson, rate: 100/s}", "--set",
                  "users.call={timeout: 50ms, retry: {kind: fixed, max_attempts: 4, delay: 1ms}}")
        expected, measured = (
            (float(re.search(r"events +(\S+) a simulated second", told).group(1)), told)
            for told in (self.plan(CLOSED, *change), self.plan(CLOSED, *change, "--profile")))
        self.assertIn("expected without retries", expected[1])
        self.assertIn("both measured", measured[1])
        self.assertGreater(measured[0], 2 * expected[0])

    def test_nothing_to_do(self):
        (self.folder / "idle.yaml").write_text("squall: 1\nduration: 1s\n"
                                               "entities: {web: {type: server}}\n")
        told, _ = self.squall("plan", "idle.yaml")
        self.assertIn("nobody makes requests", told)

    def test_nothing_is_written(self):
        self.plan(STORM)
        self.assertEqual(self.files(), [])

    def test_mistakes(self):
        self.assertIn("unknown key",
                      self.squall("plan", CLOSED, "--set", "web.concurency=3", status=2)[1])
        for options in (["--ranks", "0"], ["--ranks", "many"], ["--partition", "best"],
                        ["--ranks", "2", "--ranks-per-replication", "4"]):
            told, complaint = self.squall("plan", CLOSED, *options, status=2)
            self.assertEqual(told, "")
            self.assertTrue(complaint.startswith("squall"), complaint)
        self.assertIn("configuration is missing", self.squall("plan", status=2)[1])


if __name__ == "__main__":
    unittest.main()
