# SPDX-License-Identifier: Apache-2.0
"""The command line, and pictures of it; on the real program too, when there is one."""

import argparse
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ANALYSIS))

import squall
from squall import __main__, measures
from squall.plot import PLOTS, partition, storm

import swept
import tiny

PROGRAM = pathlib.Path(os.environ.get("SQUALL", ANALYSIS.parent / "build/src/squall"))
PNG = b"\x89PNG"
PLAN = {
    "study": "two",
    "division": {
        "point": 0,
        "method": "metis",
        "profiled": False,
        "lookahead": 0.0025,
        "cut_wires": 7,
        "remote": 0.125,
        "speedup": 1.5,
        "ranks": [{"entities": 4, "events": 30.0}, {"entities": 2, "events": 10.0}],
        "groups": [
            {"name": "users", "type": "client", "entities": [3, 1], "events": [15.0, 5.0]},
            {"name": "web", "type": "server", "entities": [1, 1], "events": [15.0, 5.0]},
        ],
        "traffic": [[6.0, 1.0], [0.0, 1.0]],
    },
}
STUCK = """\
squall: 1
duration: 100s
interval: 1s
replications: 4
entities:
  users:
    type: client
    target: web
    arrivals: {kind: closed, users: 20, think_time: {exponential: 100ms}}
    call: {timeout: none}
  web: {type: server, concurrency: 10, service_time: {exponential: 10ms}}
network: [{from: users, to: web, latency: 1ms}]
timeline: [{at: 30s, for: 5s, crash: web}]
"""


class PlotTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tiny(self, name="tiny.h5", config=tiny.CONFIG):
        tiny.write(self.folder / name, config)
        return self.folder / name

    def command(self, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "squall", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ANALYSIS)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr


class Storm(PlotTest):
    def figure(self, *paths, **options):
        files = [squall.open(path) for path in paths]
        for file in files:
            self.addCleanup(file.close)
        return storm(files, **options)

    def test_one_file_needs_no_list(self):
        with squall.open(self.tiny()) as results:
            self.assertEqual(len(storm(results).axes), 3)

    def test_axes_tell_what_they_show(self):
        axes = self.figure(self.tiny()).axes
        self.assertEqual(len(axes), 3)
        for one, unit in zip(axes, ("[1/s]", "[requests]", "[s]")):
            self.assertIn(unit, one.get_ylabel())
        self.assertEqual(axes[-1].get_xlabel(), "simulated time [s]")

    def test_the_queue_tells_whose_it_is(self):
        path = self.tiny()
        for options in ({}, {"server": "web"}):
            queue = self.figure(path, **options).axes[1]
            self.assertEqual(queue.get_title(loc="left"), "queue depth of web")
        path = self.tiny("two.h5")
        tiny.change(path, tiny.add_a_server)
        for options, title in (
            ({}, "queue depth of web + db (the sum)"),
            ({"server": "db"}, "queue depth of db"),
        ):
            queue = self.figure(path, **options).axes[1]
            self.assertEqual(queue.get_title(loc="left"), title)

    def test_columns_are_told_apart_by_what_differs(self):
        other = self.tiny("other.h5", tiny.CONFIG.replace("300ms", "1s"))
        axes = self.figure(self.tiny(), other, client="users").axes
        titles = [one.get_title(loc="left") for one in axes[:2]]
        verdict = "recovered in 1 of 2 replications"
        self.assertEqual(
            titles,
            [f"users.call.timeout = {timeout}\n{verdict}" for timeout in ("300ms", "1s")],
        )

    def test_a_twin_without_trigger_and_so_without_queue(self):
        head, _, tail = tiny.CONFIG.partition("timeline:")
        entities = tail[tail.index("entities:") :]
        twin = self.tiny("twin.h5", f"{head}timeline: []\n{entities}")
        tiny.change(twin, tiny.keep_no_queue)
        with self.assertWarnsRegex(UserWarning, r"twin.h5.*output.series: \[users, bots, web\]"):
            axes = self.figure(self.tiny(), twin).axes
        self.assertEqual(len(axes), 4)
        self.assertNotIn("queue", " ".join(one.get_ylabel() for one in axes))
        titles = [one.get_title(loc="left").split("\n")[0] for one in axes[:2]]
        self.assertEqual(titles, ["timeline = slow web × 2", "timeline = []"])

    def test_a_server_that_is_not_there(self):
        words = r"no server 'nobody' \(there are: web\)$"
        with self.assertRaisesRegex(squall.ResultsError, words):
            self.figure(self.tiny(), server="nobody")

    def test_names_of_actions_do_not_touch(self):
        head, row, tail = tiny.CONFIG.partition("  - at: 1s\n")
        others = "".join(
            f'  - {{at: {at}, for: {lasts}, slow: "", crash: web, rate: "", factor: 1}}\n'
            for at, lasts in (("1200ms", "200ms"), ("1s", "2s"), ("3500ms", "none"), ("9s", "1s"))
        )
        path = self.tiny(config=head + others + row + tail)
        for files in ([path], [path, path]):
            figure = self.figure(*files)
            figure.canvas.draw()
            names = figure.axes[0].texts
            self.assertEqual(len(names), 4)  # what comes after the end is not drawn
            boxes = [name.get_window_extent() for name in names]
            frame = figure.axes[0].get_window_extent()
            for place, box in enumerate(boxes):
                self.assertGreaterEqual(box.x0, frame.x0)
                self.assertLessEqual(box.x1, frame.x1)
                self.assertFalse(any(box.overlaps(other) for other in boxes[:place]))

    def test_breakers_that_open_have_a_panel(self):
        path = self.tiny()
        tiny.change(path, tiny.open_breakers)
        self.assertEqual(len(self.figure(self.tiny("none.h5")).axes), 3)
        axes = self.figure(path, path).axes
        self.assertEqual(len(axes), 8)
        (panel,) = [one for one in axes if one.get_ylabel() == "breakers [1]"]
        lines = {line.get_label(): line.get_ydata().tolist() for line in panel.get_lines()}
        self.assertEqual(lines, {"open": [0, 3, 5, 0], "half-open": [0, 0, 0, 1]})

    def test_a_point_of_a_sweep(self):
        path = self.tiny()
        tiny.change(path, tiny.sweep_the_trigger)
        figure = self.figure(path, point=1)
        self.assertIn("timeline[0].for = 2 s", figure.axes[0].get_title(loc="left"))
        spans = [patch.get_xy()[:, 0] for patch in figure.axes[0].patches]
        self.assertEqual([(float(span.min()), float(span.max())) for span in spans], [(1, 3)])

    def test_a_point_that_is_not_there(self):
        path = self.tiny()
        tiny.change(path, tiny.sweep_the_trigger)
        with squall.open(path) as results:
            storm([results], point=np.int64(1))
            for draw, point in ((storm, 2), (storm, [-1])):
                with self.assertRaisesRegex(squall.ResultsError, "has no point .*, but 2 from 0"):
                    draw([results], point=point)

    def test_figures_are_in_no_list(self):
        from matplotlib import pyplot

        self.figure(self.tiny())
        self.assertEqual(pyplot.get_fignums(), [])

    def test_lines(self):
        loads = self.figure(self.tiny(), client="users").axes[0]
        lines = {line.get_label().split()[0]: line for line in loads.get_lines()}
        self.assertEqual(list(lines["offered"].get_ydata()), [10] * 4)
        self.assertEqual(list(lines["attempts"].get_ydata()), [20] * 4)
        self.assertEqual(list(lines["goodput"].get_ydata()), [10, 10, 5, 5])
        self.assertEqual(list(lines["goodput"].get_xdata()), [0.5, 1.5, 2.5, 3.5])

    def test_who_has_fallen_silent_has_not_recovered(self):
        path = self.tiny()
        tiny.change(path, tiny.fall_silent)
        self.assertIn("recovered in 0 of 2", self.figure(path).axes[0].get_title(loc="left"))

    def test_a_run_that_ends_right_after_its_trigger(self):
        path = self.tiny(config=tiny.CONFIG.replace("for: 1s", "for: 1500ms"))
        self.assertIn("too soon to tell", self.figure(path).axes[0].get_title(loc="left"))

    def test_a_run_that_ends_within_its_trigger(self):
        path = self.tiny(config=tiny.CONFIG.replace("for: 1s", "for: 9s"))
        self.assertIn("ends before", self.figure(path).axes[0].get_title(loc="left"))


class Divisions(unittest.TestCase):
    def test_matrices(self):
        figure = partition([PLAN])
        groups, ranks = figure.axes[:2]
        self.assertEqual(groups.images[0].get_array().tolist(), [[0.75, 0.25], [0.5, 0.5]])
        self.assertEqual(ranks.images[0].get_array().tolist(), [[6, 1], [None, 1]])
        names = [tick.get_text() for tick in groups.get_yticklabels()]
        self.assertEqual(names, ["users (4)", "web (2)"])
        self.assertIn("1.50 times the mean", groups.get_title(loc="left"))
        self.assertIn("12.5 %", ranks.get_title(loc="left"))
        self.assertIn("lookahead 2.5 ms", ranks.get_title(loc="left"))


    def test_many_groups(self):
        """Of those in the picture it is told which they are."""
        group = {"type": "server", "entities": [1, 1], "events": [15.0, 5.0]}
        groups = [{"name": f"g{k}", **group} for k in range(41)]
        plan = {**PLAN, "division": {**PLAN["division"], "groups": groups}}
        left, right, *_ = partition([plan]).axes
        self.assertEqual(len(left.get_yticklabels()), 40)
        self.assertIn("40 of 41 with the most events", left.get_ylabel())
        self.assertEqual([text.get_text() for text in right.texts], ["6", "1", "1"])
        large = {**PLAN["division"], "traffic": [[103750.4, 12.25], [0.0, 1.0]]}
        _, right, *_ = partition([{**PLAN, "division": large}]).axes
        self.assertEqual([text.get_text() for text in right.texts], ["103,750", "12.2", "1"])


class CommandLine(PlotTest):
    def test_picture(self):
        path = self.tiny()
        picture = self.folder / "a picture.png"
        self.command("plot", path, path, "storm", "-o", picture)
        self.assertEqual(picture.read_bytes()[:4], PNG)

    def test_the_plot_may_be_left_out(self):
        picture = self.folder / "x.png"
        self.command("plot", self.tiny(), "-o", picture)
        self.assertEqual(picture.read_bytes()[:4], PNG)

    def test_a_page_stands_by_itself(self):
        page = self.folder / "a page.html"
        path = self.tiny()
        tiny.change(path, tiny.complete)
        self.command("plot", path, "storm", "-o", page)
        text = page.read_text(encoding="utf-8")
        command = html.escape(f"plot '{path}' storm -o")
        for words in ("<svg", "tiny: storm", command, "squall 0.0.0", "queue_depth"):
            self.assertIn(words, text)
        self.assertNotIn("<script", text)
        for reference in re.findall(r'(?:href|src)="([^"]*)"', text):
            self.assertTrue(reference.startswith(("#", "data:")), reference)

    def test_a_page_of_a_sweep_has_its_points(self):
        path, page = self.folder / "swept.h5", self.folder / "x.html"
        swept.write(path, {"a": ([1.0, 2.0, 3.0], "s")})
        self.command("plot", path, "--figure", "users.successes.total", "-o", page)
        text = page.read_text(encoding="utf-8")
        self.assertIn("<th>a [s]</th>", text)
        for estimate in ("99.5", "89.5", "79.5"):
            self.assertIn(f'<td class="n">{estimate}</td>', text)

    def test_a_page_of_a_search_has_what_it_found(self):
        path, page = self.folder / "swept.h5", self.folder / "x.html"
        swept.write(path, {"p": ["<none>", "<none>"], "a": ([1.0, 2.0], "s")})
        found = (["p=<none>"], [(1.75, 1.5, 2.0)])
        tiny.change(path, lambda file: swept.write_search(file, "a", "s", *found))
        figure = ("--figure", "users.successes.total")
        self.command("plot", path, "axis", *figure, "-o", page)
        text = page.read_text(encoding="utf-8")
        for cells in ("<td>&lt;none&gt;</td><td>a</td>", '"n">1.75</td>', "<td>found</td>"):
            self.assertIn(cells, text)
        self.assertNotIn("<none>", text)

    def test_a_page_of_files_has_the_figure_of_the_first(self):
        paths, page = [self.folder / name for name in ("a.h5", "b.h5")], self.folder / "x.html"
        until = "replications: {until: [{stat: users.successes.total, within: 5%}]}\n"
        for path, config in zip(paths, (tiny.CONFIG, tiny.CONFIG + until)):
            swept.write(path, {"a": ([1.0, 2.0], "s")}, config)
        self.command("plot", *paths, "-o", page)
        text = page.read_text(encoding="utf-8")
        self.assertEqual(text.count("<td>users.successes + bots.successes / "), 4)

    def test_points_by_their_values(self):
        path, picture = self.folder / "swept.h5", self.folder / "x.png"
        swept.write(path, {"a": ([1.0, 2.0, 3.0], "s")})
        self.command("plot", path, "cdf", "--group", "users", "--where", "a=2s", "-o", picture)
        said = self.command("plot", path, "cdf", "--where", "a=4s", "-o", picture, status=2)
        self.assertIn("no point has a = '4s' (there are: 1 s, 2 s, 3 s)", said)

    def test_list_of_plots(self):
        done = subprocess.run(
            [sys.executable, "-m", "squall", "plot", "--list"],
            env={**os.environ, "PYTHONPATH": str(ANALYSIS)},
            capture_output=True,
            text=True,
            check=True,
        )
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(names, list(PLOTS))

    def test_a_division(self):
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps(PLAN))
        picture = self.folder / "x.png"
        self.command("plot", plan, "-o", picture)
        self.assertEqual(picture.read_bytes()[:4], PNG)
        plan.write_text("{}")
        said = self.command("plot", plan, "partition", "-o", picture, status=2)
        self.assertIn("has no division; write it by 'squall plan CONFIG --divide", said)

    def test_what_is_left_out_is_said(self):
        path = self.tiny()
        tiny.change(path, tiny.keep_no_queue)
        picture = self.folder / "x.png"
        said = self.command("plot", path, "storm", "-o", picture)
        self.assertRegex(said, r"^squall: no panel of the queue: .* output.series: .*\n$")
        self.assertEqual(picture.read_bytes()[:4], PNG)

    def test_no_name_of_a_picture(self):
        for name in ("x.xyz", "x"):
            said = self.command(
                "plot", self.folder / "nope.h5", "storm", "-o", self.folder / name, status=2
            )
            self.assertIn("may end in .png, .svg, .pdf, .html", said)
            self.assertEqual(said.count("\n"), 1)

    def test_a_mistaken_option_prints_the_usage_of_the_verb(self):
        said = self.command("plot", self.tiny(), "--lable", "x", "-o", "x.png", status=2)
        self.assertIn("usage: python3 -m squall plot FILE... [PLOT] -o PICTURE", said)
        self.assertIn("unrecognized arguments: --lable x; did you mean '--label'?", said)

    def test_missing_packages_are_named(self):
        for module in ("h5py", "matplotlib"):
            (self.folder / f"{module}.py").write_text(
                f"raise ModuleNotFoundError('No module', name='{module}')"
            )
            done = subprocess.run(
                [sys.executable, "-m", "squall", "plot", self.tiny(), "-o", self.folder / "x.png"],
                env={**os.environ, "PYTHONPATH": f"{self.folder}:{ANALYSIS}"},
                capture_output=True,
                text=True,
            )
            (self.folder / f"{module}.py").unlink()
            self.assertEqual(done.returncode, 2)
            self.assertRegex(
                done.stderr, rf"^squall: this Python has no {module}: install .*python3-{module}"
            )
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_spans_have_units(self):
        read = __main__.parser().parse_args
        for begin, end in (("50s", "2m"), ("50", "120")):
            arguments = read(["plot", "x.h5", "-o", "x.png", "--span", begin, end])
            self.assertEqual(arguments.span, [50, 120])
        with self.assertRaisesRegex(argparse.ArgumentTypeError, "'1/s' is no time"):
            __main__._seconds("1/s")

    def test_the_plot_may_come_after_options(self):
        picture = self.folder / "x.png"
        self.command("plot", self.tiny(), "--label", "x", "storm", "-o", picture)
        self.assertEqual(picture.read_bytes()[:4], PNG)

    def test_a_folder_that_is_not_there(self):
        said = self.command("plot", self.tiny(), "storm", "-o", "nodir/q.png", status=2)
        self.assertEqual(said, "squall: cannot write nodir/q.png: no such folder\n")

    def test_files_that_differ_are_one_study(self):
        paths = [
            self.tiny(f"{timeout}.h5", tiny.CONFIG.replace("300ms", timeout))
            for timeout in ("300ms", "1s")
        ]
        picture = self.folder / "x.html"
        figure = ("--figure", "users.requests_sent")
        self.command("plot", *paths, "axis", *figure, "-o", picture)
        self.assertIn("users.call.timeout [s]", picture.read_text(encoding="utf-8"))

    def test_mistakes(self):
        path = self.tiny()
        picture = self.folder / "x.png"
        for arguments, words in (
            ((path, "strom"), "; did you mean 'storm'?"),
            (("storm", path), f"the plot comes after the files: plot '{path}' storm"),
            ((self.folder, "storm"), "is a folder; name a file in it"),
            ((path, "partition"), "no plan; this picture is of the JSON of 'squall plan"),
            ((path, "cdf", "--group", "web"), "no histogram of 'web' has any value"),
            ((path, "storm", "--client", "user"), "did you mean 'users'?"),
            ((path, "latency", "--server", "web"), "the plot 'latency' takes no --server"),
            ((self.folder / "nope.h5", "storm"), "no such file"),
            ((path, "storm", "--label", "a", "--label", "b"), "2 labels for 1 files"),
            ((path, "storm", "--level", "1"), "the plot 'storm' takes no --level"),
            ((path, "heatmap"), "takes two axes (there are: none)"),
            ((path, "axis"), "no axis to draw along"),
            (("storm",), "which file is to be drawn by 'storm'?"),
        ):
            said = self.command("plot", *arguments, "-o", picture, status=2)
            self.assertIn(words, said)
            self.assertNotIn("Traceback", said)
            self.assertFalse(picture.exists())


@unittest.skipUnless(PROGRAM.exists(), "the program is not built")
class RealFile(PlotTest):
    """What the program writes is what the package reads."""

    def run_program(self, config):
        path = self.folder / "run.h5"
        done = subprocess.run(
            [PROGRAM, "run", config, "--output", path], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_users_who_wait_for_ever(self):
        config = self.folder / "stuck.yaml"
        config.write_text(STUCK)
        with squall.open(self.run_program(config)) as results:
            self.assertEqual(measures.goodput(results)[:, -1].tolist(), [0] * 4)
            figure = storm([results])
        self.assertIn("recovered in 0 of 4", figure.axes[0].get_title(loc="left"))

    def test_first_configuration(self):
        path = self.run_program(ANALYSIS.parent / "configs" / "first.yaml")
        with squall.open(path) as results:
            self.assertTrue(results.complete.all())
            (action,) = results.config.timeline()
            self.assertEqual((action.kind, action.whom), ("slow", "web"))
            sent = results.counter("client", "requests_sent").values
            received = results.counter("server", "requests_received").values
            self.assertLess(abs(int(sent.sum()) - int(received.sum())), 0.01 * sent.sum())
            p50, bound = results.quantiles("client", "request_latency", [0.5])
            self.assertTrue((bound.values < 0.008 * p50.values).all())
            storm([results])


if __name__ == "__main__":
    unittest.main()
