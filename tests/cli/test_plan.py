# SPDX-License-Identifier: Apache-2.0
"""What plan says of a study before it is run, and of models that can be divided well, badly, or not
at all."""
import heapq
import json
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

# Far from overload, where nothing fails: what is expected is what happens.
STABLE = """squall: 1
name: stable
duration: 100s
replications: 4
entities:
  users: {type: client, target: web, arrivals: {poisson: 100/s}, call: {timeout: 50ms}}
  web: {type: server, concurrency: 4, service_time: {exponential: 10ms}}
network:
  - {latency: 1ms}
sweep:
  users.arrivals.poisson: {from: 50/s, to: 200/s, steps: 4}
  web.concurrency: [8, 16]
"""

# Nobody is answered in time where the rate is high, and everybody asks four times.
STORM_SWEEP = STABLE.replace("call: {timeout: 50ms}", """call:
          {timeout: 50ms, retry: {kind: fixed, max_attempts: 4, delay: 1ms}}""").replace(
    "[8, 16]", "[1, 8]")


class Studies(OutsideTest):
    """The first half of what plan says: what is to be run, and what that takes."""

    def told(self, study, *more):
        (self.folder / "study.yaml").write_text(study)
        told, complaints = self.squall("plan", "study.yaml", *more)
        self.assertEqual(complaints, "")
        self.assertLessEqual(max(map(len, told.splitlines())), 100)
        return told

    def figures(self, study, *more):
        (self.folder / "study.yaml").write_text(study)
        return json.loads(self.squall("plan", "study.yaml", "--json", *more)[0])

    def events(self, name):
        """Of a replication at each point, in the mean, in a results file."""
        import h5py

        with h5py.File(self.folder / name, "r") as file:
            return file["runs/events"][()].mean(axis=1).tolist()

    def test_what_there_is(self):
        figures = self.figures(STABLE, "--no-calibration")
        self.assertEqual([figures[k] for k in ("study", "points", "replications", "tasks")],
                         ["stable", 8, 4, 32])
        self.assertEqual(figures["axes"], [
            {"path": "users.arrivals.poisson", "values": 4, "first": "50/s", "last": "200/s"},
            {"path": "web.concurrency", "values": 2, "first": "8", "last": "16"}])
        self.assertEqual([p["point"] for p in figures["shown"]], list(range(8)))
        self.assertEqual(figures["shown"][5]["values"],
                         {"users.arrivals.poisson": "150/s", "web.concurrency": "16"})
        self.assertEqual(figures["calibration"], [])
        told = self.told(STABLE, "--no-calibration")
        self.assertIn("study         8 points of 4 replications of 100s: 32 tasks", told)
        self.assertRegex(told, r"\n  users\.arrivals\.poisson +4 +50/s +200/s\n")
        self.assertRegex(told, r"\n  5 +150/s +16 +6\.0e4 ")

    def test_values_are_rounded_to_four_digits(self):
        told = self.told(STABLE.split("sweep:")[0] + "sweep: {users.arrivals.poisson: [100.25/s, "
                         "60/m, 1000/s], web.service_time: {from: 1ms, to: 10ms, steps: 4, "
                         "scale: log}}\n", "--no-calibration")
        self.assertRegex(told, r"\n  users\.arrivals\.poisson +3 +100\.2/s +1000/s\n")
        self.assertRegex(told, r"\n  1 +100\.2/s +2154us ")
        self.assertRegex(told, r"\n  4 +60/m +1ms ")

    def test_what_is_expected_happens(self):
        expected = [p["events"] for p in self.figures(STABLE, "--no-calibration")["shown"]]
        self.squall("run", "study.yaml", "-q")
        for e, real in zip(expected, self.events("stable.h5")):
            self.assertLess(abs(e / real - 1), 0.2)

    def test_calibration_sees_a_storm(self):
        expected = self.figures(STORM_SWEEP, "--no-calibration")["events"]
        figures = self.figures(STORM_SWEEP)
        self.squall("run", "study.yaml", "-q")
        real = self.events("stable.h5")
        self.assertGreater(sum(real) * 4, 1.3 * expected)
        # How many points were run depends on the machine.
        ran = [run["point"] for run in figures["calibration"]]
        self.assertEqual((ran[0], ran[-1]), (6, 1))
        self.assertEqual(sorted(ran), [p["point"] for p in figures["shown"] if p["ran"]])
        for point in ran:
            self.assertLess(abs(figures["shown"][point]["events"] / real[point] - 1), 0.2)
        self.assertGreater(max(r["events_per_expected"] for r in figures["calibration"]), 2)
        self.assertGreater(figures["journal_bytes"], 0)

    def test_points_between_are_like_their_neighbours(self):
        """Of 62 points at most 20 are run; the others have their events, too."""
        figures = self.figures(STABLE.replace("steps: 4", "steps: 31"), "--set", "duration=50s")
        self.squall("run", "study.yaml", "-q", "--set", "duration=50s")
        self.assertIn(len(figures["calibration"]), range(3, 21))
        self.assertLess(abs(figures["events"] / (4 * sum(self.events("stable.h5"))) - 1), 0.2)
        self.assertLessEqual(figures["core_seconds_low"], figures["core_seconds"])
        self.assertLessEqual(figures["core_seconds"], figures["core_seconds_high"])

    def test_the_results_file_is_no_larger(self):
        figures = self.figures(STABLE, "--set", "interval=1s")
        self.squall("run", "study.yaml", "-q", "--set", "interval=1s", "--shard", "1/1")
        self.squall("run", "study.yaml", "-q", "--set", "interval=1s")
        journal = sum(f.stat().st_size for f in self.folder.glob("*.journal/*"))
        self.assertLess(abs(figures["journal_bytes"] / journal - 1), 0.2)
        self.assertLess((self.folder / "stable.h5").stat().st_size, figures["results_bytes_most"])

    def test_the_costliest_is_named(self):
        rates = ("--set", "sweep={users.arrivals.poisson: [50/s, 200/s, 100/s]}")
        self.assertEqual(self.figures(STABLE, *rates)["costliest"]["point"], 1)
        told = " ".join(self.told(STABLE, *rates, "--divide").split())
        self.assertIn("at point 1, the costliest (users.arrivals.poisson=200/s)", told)

    def test_time_on_ranks_and_in_shards(self):
        figures = self.figures(STABLE, "--no-calibration", "--ranks", "5", "--shards", "3")
        costs = [p["seconds"] for p in figures["shown"]]
        self.assertAlmostEqual(figures["core_seconds"], 4 * sum(costs))
        tasks = sorted((-cost, point, replication) for point, cost in enumerate(costs)
                       for replication in range(4))

        def until_done(tasks):
            free = [0.0] * 5
            for cost, _, _ in tasks:
                heapq.heapreplace(free, free[0] - cost)
            return max(free)

        self.assertAlmostEqual(figures["seconds"], until_done(tasks))
        shards = [[t for t in tasks if (4 * t[1] + t[2]) % 3 == k] for k in range(3)]
        longest = min(shards, key=lambda shard: sum(t[0] for t in shard))
        self.assertAlmostEqual(figures["shard_seconds"], until_done(longest))
        told = self.told(STABLE, "--no-calibration", "--ranks", "5", "--shards", "3")
        self.assertRegex(told, r"about \S+ \w+ on 5 ranks\n"
                               r" +each of 3 shards: about .* at most on 5 ranks\n")

    def test_rules_and_searches_are_at_most(self):
        rule = ("--set", "replications={min: 4, max: 100, until: {half_width: 5%, "
                "stat: users.request_latency.mean}}")
        figures = self.figures(STABLE, "--no-calibration", *rule)
        plain = self.figures(STABLE, "--no-calibration")
        self.assertEqual((figures["tasks"], figures["at_most"]), (800, True))
        self.assertAlmostEqual(figures["core_seconds"], 25 * plain["core_seconds"])
        told = " ".join(self.told(STABLE, *rule, "--ranks", "2").split())
        self.assertIn("8 points of 4 to 100 replications of 100s: 800 tasks at most", told)
        self.assertRegex(told, r"about \S+ \w+ at most on one core.* at most on 2 ranks")
        # Of 9 levels a search visits 7.
        search = ("--set", "search={axis: {users.arrivals.poisson: {from: 50/s, to: 450/s, "
                  "steps: 9}}, measure: {stat: users.request_latency.mean}, target: 20ms}",
                  "--set", "sweep={web.concurrency: [1, 2]}", "--set",
                  "replications={min: 4, max: 10}")
        figures = self.figures(STABLE, "--no-calibration", *search)
        self.assertEqual((figures["points"], figures["tasks"], figures["at_most"]),
                         (18, 140, True))
        told = " ".join(self.told(STABLE, *search, "--ranks", "4", "--divide").split())
        self.assertIn("on 4 ranks, if the searches keep them busy", told)
        self.assertRegex(told, r"the costliest \(web.concurrency=\d, users.arrivals.poisson=")
        self.assertIn("2 searches on 9 levels, of which 7 are visited at most, by 4 to 10 "
                      "replications of 100s: 140 tasks at most", told)

    def test_a_warm_up_to_be_found(self):
        """One more replication for each point."""
        auto = ("--set", "warmup=auto", "--set", "interval=1s")
        figures = self.figures(STABLE, *auto)
        self.assertEqual((figures["tasks"], figures["at_most"]), (40, False))
        self.assertIn("4 replications of 100s, and one to find the warm-up: 40 tasks",
                      " ".join(self.told(STABLE, *auto).split()))

    def test_many_points(self):
        """Some from the costliest to the cheapest are shown."""
        many = STABLE.replace("steps: 4", "steps: 151")
        figures = self.figures(many, "--no-calibration")
        self.assertEqual(figures["points"], 302)
        rates = [int(p["values"]["users.arrivals.poisson"].split("/")[0])
                 for p in figures["shown"]]
        self.assertEqual(len(rates), 11)
        self.assertEqual(rates, sorted(rates, reverse=True))
        self.assertEqual((rates[0], rates[-1]), (200, 50))
        self.assertIn("costs more than", self.told(many, "--no-calibration"))

    def test_divisions_where_they_matter(self):
        one = "One replication, its model divided among ranks"
        for more, there in (([], False), (["--ranks", "32"], False), (["--ranks", "33"], True),
                            (["--divide"], True), (["--ranks-per-replication", "2"], True),
                            (["--partition", "block"], True), (["--set", "sweep={}"], True)):
            told = self.told(STABLE, "--no-calibration", *more)
            self.assertEqual(one in told, there, more)
        # Places are those of the configuration.
        self.assertIn("study.yaml:9", self.told(STABLE, "--no-calibration", "--divide"))

    def test_no_calibration_is_the_same_every_time(self):
        self.assertEqual(self.told(STABLE, "--no-calibration", "--ranks", "3", "--divide"),
                         self.told(STABLE, "--no-calibration", "--ranks", "3", "--divide"))

    def test_models_that_end_before_their_time(self):
        self.assertIn("The study: stuck, events go on without time passing",
                      self.squall("plan", HERE.parent / "parallel/stuck.yaml")[0])
        told = self.told(STORM_SWEEP, "--set", "failure_budget.threshold=10%")
        self.assertRegex(told, r"\nPoints? 6\b.*: the failure budget is spent")

        limited = self.figures(STABLE, "--set", "event_limit=1000")
        self.assertEqual({run["stuck"] for run in limited["calibration"]}, {False})
        self.assertEqual({p["events"] for p in limited["shown"] if p["ran"]}, {1000})

    def test_nothing_is_written(self):
        self.told(STABLE)
        self.assertEqual(self.files(), ["study.yaml"])

    def test_mistakes(self):
        (self.folder / "study.yaml").write_text(STABLE.replace("[8, 16]", "[8, 0]"))
        told, complaint = self.squall("plan", "study.yaml", status=2)
        self.assertEqual(told, "")
        self.assertIn("study.yaml:12:24: entities.web.concurrency: 0 is below 1", complaint)
        for shards in ("0", "some"):
            complaint = self.squall("plan", "study.yaml", "--shards", shards, status=2)[1]
            self.assertIn("--shards takes a whole number from 1", complaint)


class Objects(OutsideTest):
    """A division as an object, for programs."""

    def division(self, path, *more):
        if isinstance(path, str):
            (self.folder / "model.yaml").write_text(path)
            path = "model.yaml"
        told = self.squall("plan", path, "--no-calibration", "--json", *more)[0]
        return json.loads(told).get("division", "not asked")

    def test_groups_by_rank(self):
        found = self.division(CHAIN, "--ranks-per-replication", 2)
        self.assertEqual([(one["name"], one["type"]) for one in found["groups"]],
                         [("users", "client"), *((name, "server") for name in
                                                 ("first", "second", "third"))])
        self.assertEqual([sum(one["entities"]) for one in found["groups"]], [1] * 4)
        self.assertEqual(sum(rank["entities"] for rank in found["ranks"]), 4)
        for place, rank in enumerate(found["ranks"]):
            self.assertAlmostEqual(rank["events"], sum(one["events"][place]
                                                       for one in found["groups"]))
        self.assertEqual((found["method"], found["profiled"], found["point"]), ("metis", False, 0))

    def test_what_goes_between_ranks(self):
        """A million requests a second go over each of three wires, of which some are cut."""
        found = self.division(CHAIN, "--ranks-per-replication", 2)
        traffic = found["traffic"]
        self.assertAlmostEqual(sum(map(sum, traffic)), 3e6, delta=1.0)
        between = traffic[0][1] + traffic[1][0]
        self.assertAlmostEqual(between, found["cut_wires"] * 1e6, delta=1.0)
        self.assertAlmostEqual(found["remote"], found["cut_wires"] / 3)
        self.assertIn(found["lookahead"], (0.002, 0.003, 0.005))

    def test_wires_that_fan_out(self):
        for model, ranks in ((MESH, 5), (CELLS, 8)):
            found = self.division(model, "--ranks-per-replication", ranks)
            traffic = found["traffic"]
            self.assertEqual((len(traffic), len(traffic[0])), (ranks, ranks))
            own = sum(traffic[i][i] for i in range(ranks))
            self.assertAlmostEqual(1 - own / sum(map(sum, traffic)), found["remote"])

    def test_only_where_it_is_asked_for(self):
        self.assertEqual(self.division(CHAIN), "not asked")
        self.assertGreater(len(self.division(CHAIN, "--divide")["ranks"]), 1)
        self.assertIsNone(self.division(GLUED.replace("{exponential: 1ms}", "0s"), "--divide"))


class Plan(OutsideTest):
    def plan(self, study, *more):
        """What plan says of a configuration, a text or a file, of no machine in particular."""
        more = ("--no-calibration", *more)
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
