# SPDX-License-Identifier: Apache-2.0
import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from squall.config import Action, Config, differences, parse_duration

import tiny


class Durations(unittest.TestCase):
    def test_units(self):
        for text, seconds in {
            "0s": 0,
            "250us": 250e-6,
            "1.5s": 1.5,
            "7ns": 7e-9,
            "300ms": 0.3,
            "2m": 120,
            "1h": 3600,
            "1e3s": 1000,
        }.items():
            self.assertAlmostEqual(parse_duration(text), seconds, places=12, msg=text)
        self.assertEqual(parse_duration("none"), math.inf)

    def test_others_are_refused(self):
        for text in ("", "5", "s", "5 s", "fast"):
            with self.assertRaises(ValueError, msg=text):
                parse_duration(text)


class Timeline(unittest.TestCase):
    def test_actions(self):
        config = Config(
            tiny.CONFIG.replace(
                "entities:",
                '  - {at: 3s, for: none, slow: "", crash: web, rate: "", factor: 1}\nentities:',
            )
        )
        slow, crash = config.timeline()
        self.assertEqual(slow, Action("slow", "web", 1.0, 1.0, 2.0))
        self.assertEqual(crash, Action("crash", "web", 3.0, math.inf, None))
        self.assertEqual((str(slow), str(crash)), ("slow web × 2", "crash web"))

    def test_faults(self):
        """As the program writes them, and as a user may."""
        config = Config(
            "timeline:\n"
            '- {at: 1s, for: none, every: none, times: unlimited, mtbf: 5s, mttr: 1s, slow: "",\n'
            "   crash: web, errors: [], link: [], partition: []}\n"
            '- {at: 2s, for: 1s, every: 10s, times: "3", crash: "", errors: [], link: [],\n'
            "   partition: [{a: [{name: users}, {name: web}], b: [{name: db}], among: []}]}\n"
            "- {at: 3s, for: 1s, every: 4s, errors: {of: web, probability: 20%}}\n"
            "- {at: 4s, link: {a: [users, web], latency: 3ms}}\n"
            "- {at: 5s, errors: web}\n"
            "- {at: 6s, for: 1s, capacity: web, factor: 0.5}\n"
        )
        told = [str(action) for action in config.timeline()]
        self.assertEqual(
            told,
            [
                "crash web by chance",
                "partition users + web | db every 10 s",
                "errors web every 4 s",
                "link users + web",
                "errors web",
                "capacity web × 0.5",
            ],
        )
        crash, partition, errors, *_ = config.timeline()
        self.assertEqual(partition.windows(100), [(2, 3), (12, 13), (22, 23)])
        self.assertEqual(partition.windows(12), [(2, 3)])
        self.assertEqual(partition.windows(2), [])
        often = Action("link", "web", 1.0, 0.25, None, every_s=0.5)
        self.assertEqual(len(often.windows(501)), 1000)
        self.assertEqual(often.windows(1001), [(1, 1000.75)])
        self.assertEqual(errors.windows(10), [(3, 4), (7, 8)])
        self.assertEqual(crash.windows(10), [(1, math.inf)])
        self.assertEqual([one.over_s for one in (crash, partition)], [math.inf, 23])
        self.assertEqual(errors.over_s, math.inf)

    def test_what_is_said_beside_the_kind(self):
        rows = (
            '{at: 1s, for: 2s, slow: "", pause: web, in_service: freezes, capacity: "", factor: 1}',
            '{at: 1s, for: 2s, slow: "", pause: "", in_service: freezes, capacity: web, factor: 2}',
        )
        pause, capacity = Config(f"timeline: [{', '.join(rows)}]\n").timeline()
        self.assertEqual((str(pause), str(capacity)), ("pause web", "capacity web × 2"))

    def test_none(self):
        self.assertEqual(Config("timeline: []\n").timeline(), [])


class Differences(unittest.TestCase):
    def test_only_what_differs(self):
        other = tiny.CONFIG.replace("300ms", "1s").replace("name: tiny", "name: other")
        other += "output:\n  histograms: none\n"
        found = differences([Config(tiny.CONFIG), Config(other)])
        self.assertEqual(found, [{"users.call.timeout": "300ms"}, {"users.call.timeout": "1s"}])

    def test_a_key_of_one_alone(self):
        found = differences([Config("a: 1\n"), Config("a: 1\nb: [x, y]\n")])
        self.assertEqual(found, [{}, {"b[0]": "x", "b[1]": "y"}])

    def test_what_follows_from_a_kind(self):
        none, few, many, fixed = (
            Config(f"entities: {{users: {{call: {{retry: {retry}}}}}}}\n")
            for retry in (
                "none",
                "{kind: exponential, max_attempts: 3, jitter: none}",
                "{kind: exponential, max_attempts: 4, jitter: none}",
                "{kind: fixed, max_attempts: 3, delay: 1s}",
            )
        )
        retry = "users.call.retry"
        self.assertEqual(differences([few, none]), [{retry: "exponential"}, {retry: "none"}])
        self.assertEqual(
            differences([few, fixed]),
            [{f"{retry}.kind": "exponential"}, {f"{retry}.kind": "fixed"}],
        )
        self.assertEqual(
            differences([few, many, none]),
            [
                {retry: "exponential", f"{retry}.max_attempts": "3"},
                {retry: "exponential", f"{retry}.max_attempts": "4"},
                {retry: "none"},
            ],
        )

    def test_an_entity_of_one_alone_and_no_empty_values(self):
        one = Config("entities: {a: {type: client}}\ntimeline: [{slow: a, crash: ''}]\n")
        two = Config(
            "entities: {a: {type: client}, db: {type: server, law: {kind: x}}}\n"
            "timeline: [{slow: '', crash: a}]\n"
        )
        self.assertEqual(
            differences([one, two]),
            [{"timeline[0].slow": "a"}, {"timeline[0].crash": "a", "db": "server"}],
        )


if __name__ == "__main__":
    unittest.main()
