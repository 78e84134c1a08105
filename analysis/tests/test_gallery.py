# SPDX-License-Identifier: Apache-2.0
"""The gallery: its rows, its page, and one picture that is made anew."""

import inspect
import pathlib
import sys
import tempfile
import unittest

GALLERY = pathlib.Path(__file__).resolve().parent.parent / "gallery"
MOST = 150_000  # [B] of a picture
sys.path.insert(0, str(GALLERY))

import make
from squall.plot import PLOTS


class Rows(unittest.TestCase):
    def test_names_are_different(self):
        names = [picture.name for picture in make.PICTURES]
        self.assertEqual(len(names), len(set(names)))

    def test_scenarios_are_there(self):
        for picture in make.PICTURES:
            for run in picture.runs:
                self.assertTrue((make.ROOT / run.path).exists(), run.path)

    def test_plots_take_their_options(self):
        for picture in make.PICTURES:
            with self.subTest(picture.name):
                known = inspect.signature(PLOTS[picture.plot]).parameters
                self.assertLessEqual(set(picture.options), set(known))
                labels = {bool(run.label) for run in picture.runs}
                self.assertEqual(len(labels), 1)  # all have one, or none

    def test_pictures_are_there_and_small(self):
        for picture in make.PICTURES:
            path = GALLERY / f"{picture.name}.png"
            self.assertTrue(path.exists(), path)
            if picture.name != "retry_storm":  # drawn larger, for the front page
                self.assertLess(path.stat().st_size, MOST, path)

    def test_page_is_made_of_the_rows(self):
        self.assertEqual((GALLERY / "README.md").read_text(encoding="utf-8"), make.page())

    def test_commands_can_be_copied(self):
        (picture,) = [one for one in make.PICTURES if one.name == "retry_amplification"]
        section = make.section(picture)
        self.assertIn("squall run configs/scenarios/retry_amplification.yaml\n", section)
        self.assertIn("--output retry_amplification1.h5 \\\n", section)
        self.assertIn("--set 'policies.thrice.retry_budget={kind: rate}'", section)
        self.assertIn("--span 31 39", section)
        self.assertIn("--group d \\\n", section)


@unittest.skipUnless(make.PROGRAM.exists(), "the program is not built")
class Making(unittest.TestCase):
    def test_a_small_one(self):
        (picture,) = [one for one in make.PICTURES if one.name == "gc_pause"]
        with tempfile.TemporaryDirectory(prefix="squall test ") as name:
            folder = pathlib.Path(name)
            workshop = make.Workshop(folder)
            path = make.make(picture, workshop, folder)
            self.assertEqual(path.read_bytes()[:4], b"\x89PNG")
            self.assertEqual(len(workshop.made), 2)
            again = workshop.results(picture.runs[0])
            self.assertEqual(len(workshop.made), 2)  # a run is made once
            self.assertTrue(again.exists())


if __name__ == "__main__":
    unittest.main()
