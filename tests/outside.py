# SPDX-License-Identifier: Apache-2.0
"""What the tests that drive the program from outside share.

The build tells them by the environment which program to drive (SQUALL) and whether it is a slow one
(SQUALL_SLOW), checking itself.
"""
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SQUALL = os.environ["SQUALL"]
SLOW = bool(os.environ.get("SQUALL_SLOW"))
SOURCE = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 120  # [s] a program that takes longer hangs


class OutsideTest(unittest.TestCase):
    """Each test runs in an empty folder of its own, `self.folder`."""

    maxDiff = None

    def setUp(self):
        room = pathlib.Path(tempfile.mkdtemp(prefix="squall test "))
        self.addCleanup(shutil.rmtree, room, ignore_errors=True)
        self.folder = room / "work"
        self.folder.mkdir()
        # What Open MPI leaves behind when it is killed goes with the room.
        self.environment = {**os.environ, "OMPI_MCA_orte_tmpdir_base": str(room),
                            "OMPI_MCA_btl_vader_backing_directory": str(room)}

    def command(self, *arguments, ranks=1):
        """One rank needs no mpirun."""
        launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
        return [*launcher, SQUALL, *map(str, arguments)]

    def squall(self, *arguments, ranks=1, status=0, **options):
        """Runs the program to its end and returns what it printed, as (stdout, stderr)."""
        options = {"cwd": self.folder, "env": self.environment, **options}
        done = subprocess.run(self.command(*arguments, ranks=ranks), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, **options)
        self.assertEqual(done.returncode, status,
                         f"{arguments} on {ranks} ranks\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def started(self, command):
        """Starts a command, which is killed in the end if it still runs; its messages can be read.
        """
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def files(self):
        return sorted(p.name for p in self.folder.iterdir())

    def assert_same_results(self, first, second):
        self.assertEqual(differences(self.folder / first, self.folder / second), [])


def contents(path):
    """Everything in a results file but its provenance, from places to values.

    h5diff would compare attributes that hold addresses within the file, too; these move with the
    length of the command kept in the provenance. Here they are followed to the things they stand
    for: asking these for their names would have HDF5 search the file for each.
    """
    import h5py  # here, since not all who use this module read results
    import numpy

    found, axes, names = {}, {}, {}

    def address(thing):
        return h5py.h5o.get_info(thing).addr

    def add(name, thing):
        names[address(thing.id)] = f"/{name}"
        if name.split("/")[0] == "provenance":
            return
        for key in thing.attrs.keys() - {"DIMENSION_LIST", "REFERENCE_LIST"}:
            found[f"{name}@{key}"] = (str(thing.attrs.get_id(key).dtype), repr(thing.attrs[key]))
        if isinstance(thing, h5py.Group):
            found[name] = list(thing)
        else:
            axes[name] = scales = [[] for _ in thing.shape]
            for axis, of_axis in enumerate(scales):
                if h5py.h5ds.get_num_scales(thing.id, axis) > 0:
                    h5py.h5ds.iterate(thing.id, axis, lambda scale: of_axis.append(address(scale)))
            texts = thing.dtype.hasobject  # these have no bytes of their own
            value = numpy.asarray(thing[()])
            found[name] = (str(thing.dtype), thing.shape,
                           value.tolist() if texts else value.tobytes())

    with h5py.File(path, "r") as file:
        add("", file)
        file.visititems(add)
    for name, scales in axes.items():
        found[name] += ([[names[scale] for scale in of_axis] for of_axis in scales],)
    return found


@functools.lru_cache(maxsize=2)
def kept(path, _):
    return contents(path)


def contents_now(path):
    """What several files are compared with is read once: whoever writes a file makes a new one."""
    about = path.stat()
    return kept(path, (about.st_ino, about.st_mtime_ns, about.st_size))


def differences(first, second):
    """The places at which two results files differ."""
    a, b = contents_now(first), contents_now(second)
    return sorted(place for place in a.keys() | b.keys() if a.get(place) != b.get(place))
