# SPDX-License-Identifier: Apache-2.0
"""Results files of every version of the layout stay readable; tests/data/README.md says what they
are."""
import gzip
import json
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SOURCE, OutsideTest  # noqa: E402

DATA = HERE.parent / "data"
KNOWN = json.loads((DATA / "known.json").read_text())
LAYOUT = (SOURCE / "src/results/layout.h").read_text()
MAJOR, MINOR = (int(re.search(rf"LAYOUT_{part} = (\d+)", LAYOUT)[1]) for part in ("MAJOR", "MINOR"))


class Versions(OutsideTest):
    def unpack(self, name):
        """The file, in the folder of the test."""
        packed = (DATA / f"{name}.h5.gz").read_bytes()
        (self.folder / f"{name}.h5").write_bytes(gzip.decompress(packed))
        return f"{name}.h5"

    def change(self, file, schema):
        import h5py

        with h5py.File(self.folder / file, "r+") as results:
            results.attrs.modify("schema", schema)

    def test_there_is_a_file_of_each_version(self):
        self.assertEqual(sorted(p.name for p in DATA.glob("*.gz")),
                         sorted(f"{name}.h5.gz" for name in KNOWN))
        there = {tuple(known["schema"]) for known in KNOWN.values()}
        self.assertEqual(there, {(MAJOR, minor) for minor in range(MINOR + 1)})

    def test_numbers_are_what_they_were(self):
        for name, known in KNOWN.items():
            with self.subTest(name):
                file = self.unpack(name)
                rows = json.loads(self.squall("inspect", "--json", file)[0])
                means = [(row["value"], row["replications"]) for row in rows
                         if (row["group"], row["statistic"], row["measure"]) ==
                         ("users", "successes", "mean")]
                self.assertEqual([n for _, n in means], known["replications"])
                self.assertEqual([round(mean * n) for mean, n in means], known["successes"])
                first = next(row["value"] for row in rows if (row["statistic"], row["measure"]) ==
                             ("request_latency", "p99"))
                if known["request_latency_p99"] is None:
                    self.assertIsNone(first)
                else:
                    self.assertAlmostEqual(first / known["request_latency_p99"], 1, places=12)

    def test_tables_are_made(self):
        for name, known in KNOWN.items():
            with self.subTest(name):
                out, err = self.squall("inspect", self.unpack(name))
                self.assertEqual(err, "")
                self.assertIn(known["title"], out)
                self.assertIn("users", out)
                self.squall("inspect", "--csv", f"{name}.h5")
                self.squall("inspect", "--provenance", f"{name}.h5")

    def test_what_is_not_told_is_not_made_up(self):
        for name in ("1.0", "1.1", "1.2-first"):
            out, _ = self.squall("inspect", "--provenance", self.unpack(name))
            n = sum(KNOWN[name]["replications"])
            self.assertIn(f"{n} replications do not say where they were run", out)

    def test_a_newer_minor_version_is_read(self):
        for name in KNOWN:
            file = self.unpack(name)
            before, _ = self.squall("inspect", "--json", file)
            self.change(file, [MAJOR, MINOR + 7])
            self.assertEqual(self.squall("inspect", "--json", file), (before, ""))

    def test_another_major_version_is_refused(self):
        file = self.unpack("1.0")
        for major, who in ((MAJOR + 1, "a newer"), (MAJOR - 1, "an older")):
            self.change(file, [major, 3])
            out, err = self.squall("inspect", file, status=2)
            self.assertEqual((out, err), ("", f"squall: {file} was written by {who} squall: its "
                                          f"schema is {major}.3, this program reads {MAJOR}.x\n"))


if __name__ == "__main__":
    unittest.main()
