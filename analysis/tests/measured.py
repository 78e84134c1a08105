# SPDX-License-Identifier: Apache-2.0
"""What the tests of measures share: files made by hand, and runs of the program."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ANALYSIS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ANALYSIS))

import squall

import made

PROGRAM = pathlib.Path(os.environ.get("SQUALL", ANALYSIS.parent / "build/src/squall"))
CONFIGS = ANALYSIS.parent / "configs"


class MadeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="squall test ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.files = 0

    def opened(self, path):
        results = squall.open(path)
        self.addCleanup(results.close)
        return results

    def made(self, who, **options):
        self.files += 1
        return self.opened(made.write(self.folder / f"{self.files}.h5", who, **options))

    def clients(self, begun=100, well=100, **options):
        """One client, of a load and a goodput [1/s]."""
        users = {"logical_requests": begun, "successes": well}
        return self.made({"client": {"users": users}}, **options)


class RealTest(MadeTest):
    def run_program(self, config, *changes, status=0):
        self.files += 1
        path = self.folder / f"{self.files}.h5"
        done = subprocess.run(
            [PROGRAM, "run", config, "--output", path]
            + [word for change in changes for word in ("--set", change)],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return self.opened(path)


real = unittest.skipUnless("SQUALL" in os.environ or PROGRAM.exists(), "the program is not built")
