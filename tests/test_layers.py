# SPDX-License-Identifier: Apache-2.0
"""Every #include of src/ is allowed by src/layers.txt."""
import pathlib
import re
import shutil
import tempfile
import unittest

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"

# Which header belongs to which library of the table; m and the C library are free.
LIBRARIES = {"mpi": r"mpi\.h", "hdf5": r"(hdf5|H5).*\.h", "yaml": r"yaml\.h", "gsl": r"gsl/.*",
             "random123": r"Random123/.*", "metis": r"metis\.h"}
OUTSIDE = {"cmocka.h"}  # for tests only
GENERATED = {"version.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def rows(table):
    """Each layer with the layers and the libraries that it may use."""
    for line in table.read_text().splitlines():
        if line and not line.startswith("#"):
            layer, layers, libraries = (part.split() for part in line.split(":"))
            yield layer[0], {*layers, layer[0]}, set(libraries)


def fault(quote, name, layers, libraries):
    """What is wrong with one include, or None."""
    if quote == '"':
        folder = name.split("/")[0]
        return None if name in GENERATED or folder in layers else f"layer {folder} is out of reach"
    for library, pattern in LIBRARIES.items():
        if re.fullmatch(pattern, name) and library not in libraries:
            return f"library {library} is out of reach"
    return "is for tests only" if name in OUTSIDE else None


def faults(src):
    known = set()
    for layer, layers, libraries in rows(src / "layers.txt"):
        known.add(layer)
        for path in sorted((src / layer).glob("*.[ch]")):
            for quote, name in INCLUDE.findall(path.read_text()):
                wrong = fault(quote, name, layers, libraries)
                if wrong:
                    yield f"{path.relative_to(src)}: {name}: {wrong}"
    for folder in sorted(p.name for p in src.iterdir() if p.is_dir()):
        if folder not in known:
            yield f"{folder}: is no row of layers.txt"


class Layers(unittest.TestCase):
    def test_src(self):
        self.assertEqual(list(faults(SRC)), [])

    def test_what_is_not_allowed_is_found(self):
        bad = {
            "base/up.c": ('"rng/stream.h"', "layer rng is out of reach"),
            "engine/reads.h": ("<hdf5_hl.h>", "library hdf5 is out of reach"),
            "entities/talks.c": ("<mpi.h>", "library mpi is out of reach"),
            "model/draws.c": ("<gsl/gsl_rng.h>", "library gsl is out of reach"),
            "policies/parses.c": ("<yaml.h>", "library yaml is out of reach"),
            "stats/keyed.c": ("<Random123/threefry.h>", "library random123 is out of reach"),
            "model/cuts.c": ("<metis.h>", "library metis is out of reach"),
            "cli/asserts.c": ("<cmocka.h>", "is for tests only"),
        }
        with tempfile.TemporaryDirectory() as room:
            copy = pathlib.Path(room) / "src"
            shutil.copytree(SRC, copy)
            self.assertEqual(list(faults(copy)), [])
            for path, (header, _) in bad.items():
                (copy / path).write_text(f"#include <stdio.h>\n# include {header}\n")
            (copy / "attic").mkdir()
            expected = [f"{path}: {header[1:-1]}: {why}" for path, (header, why) in bad.items()]
            self.assertCountEqual(faults(copy), [*expected, "attic: is no row of layers.txt"])


if __name__ == "__main__":
    unittest.main()
