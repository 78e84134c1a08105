# SPDX-License-Identifier: Apache-2.0
"""`pip install ./analysis`, into an environment that sees Debian's packages, without a network."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent


class Install(unittest.TestCase):
    def test_pip_needs_no_network(self):
        with tempfile.TemporaryDirectory(prefix="squall test ") as folder:
            here = pathlib.Path(folder)
            source, venv = here / "source", here / "venv"
            shutil.copytree(ANALYSIS, source / "analysis", ignore=shutil.ignore_patterns("gallery"))
            shutil.copy(ANALYSIS.parent / "CMakeLists.txt", source)
            self.run_in(here, sys.executable, "-m", "venv", "--system-site-packages", venv)
            python = venv / "bin/python"
            self.run_in(here, python, "-m", "pip", "install", "--no-index", source / "analysis")
            where = self.run_in(here, python, "-c", "import squall; print(squall.__file__)")
            self.assertTrue(pathlib.Path(where.strip()).is_relative_to(venv))
            help_text = self.run_in(here, python, "-m", "squall", "--help")
            self.assertIn("plot", help_text)

    def run_in(self, folder, *command):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


if __name__ == "__main__":
    unittest.main()
