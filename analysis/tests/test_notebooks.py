# SPDX-License-Identifier: Apache-2.0
"""The notebooks as they are stored, and the page that leads to them. Running them is a test of the
build, by notebooks/run.py."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent
MOST = 100_000  # [B] of a picture
sys.path[:0] = [str(ANALYSIS), str(ANALYSIS / "notebooks")]

import run
from squall.plot import PLOTS

PAGE = (ANALYSIS / "README.md").read_text(encoding="utf-8")
PROGRAM = pathlib.Path(os.environ.get("SQUALL", ANALYSIS.parent / "build/src/squall"))


class Stored(unittest.TestCase):
    def cells(self, name, kind):
        return [
            "".join(cell["source"])
            for cell in json.loads(run.stored(name).read_text(encoding="utf-8"))["cells"]
            if cell["cell_type"] == kind
        ]

    def test_all_are_known(self):
        there = {path.stem for path in run.HERE.glob("*.ipynb")}
        self.assertEqual(there, set(run.NAMES))

    def test_nothing_but_cells_is_stored(self):
        for name in run.NAMES:
            text = run.stored(name).read_text(encoding="utf-8")
            self.assertEqual(text, run.stripped(text), f"{name}: notebooks/run.py --strip is due")

    def test_stripping_takes_outputs(self):
        text = run.stored("scaling").read_text(encoding="utf-8")
        notebook = json.loads(text)
        notebook["metadata"]["widgets"] = {}
        for cell in notebook["cells"]:
            cell["metadata"]["collapsed"] = True
            if cell["cell_type"] == "code":
                cell |= {"execution_count": 3, "outputs": [{"output_type": "stream", "text": "1"}]}
        self.assertEqual(run.stripped(json.dumps(notebook)), text)

    def test_they_are_short(self):
        for name in run.NAMES:
            cells = [self.cells(name, kind) for kind in ("markdown", "code")]
            self.assertLessEqual(8, sum(map(len, cells)))
            self.assertLessEqual(sum(map(len, cells)), 15)
            for line in "\n".join(cells[1]).splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_they_begin_alike(self):
        """The cell that runs the program is the same everywhere."""
        self.assertEqual(len({self.cells(name, "code")[0] for name in run.NAMES}), 1)

    def test_they_check_what_they_say(self):
        for name in run.NAMES:
            self.assertIn("\nassert ", "\n".join(self.cells(name, "code")), name)


class Page(unittest.TestCase):
    def test_notebooks_have_a_small_picture_each(self):
        for name in run.NAMES:
            self.assertIn(f"(notebooks/{name}.ipynb)", PAGE)
            self.assertIn(f"(notebooks/pictures/{name}.png)", PAGE)
            self.assertLess((run.PICTURES / f"{name}.png").stat().st_size, MOST)

    def test_every_plot_is_listed(self):
        self.assertEqual(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE), list(PLOTS))

    @unittest.skipUnless(PROGRAM.exists(), "the program is not built")
    def test_the_example_runs(self):
        (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        study = ANALYSIS.parent / "configs/first.yaml"
        with tempfile.TemporaryDirectory(prefix="squall test ") as folder:
            subprocess.run([PROGRAM, "run", "--quiet", study], cwd=folder, check=True)
            done = subprocess.run(
                [sys.executable, "-B", "-c", example],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ANALYSIS)},
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("request_latency", done.stdout)
            self.assertTrue(pathlib.Path(folder, "first.png").exists())


if __name__ == "__main__":
    unittest.main()
