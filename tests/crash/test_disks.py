# SPDX-License-Identifier: Apache-2.0
"""What disks and people do to a journal while it is written, or afterwards."""
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, SLOW, OutsideTest  # noqa: E402

STUDY = HERE / "study.yaml"
ENDLESS = ["--set", "replications=100000"]
FEW = ["--set", "replications=8"]
# As in test_kill.py.
HEAD = struct.Struct("<8sIQQII")
FRAME = struct.Struct("<4sIIQQQQQII")


class Disks(OutsideTest):
    journal = property(lambda self: self.folder / "study.journal")
    first = property(lambda self: self.journal / "rank-000000.sqj")

    def begin(self, *arguments):
        return self.started(self.command("run", STUDY, "--quiet", *arguments))

    def wait_until_it_records(self, process):
        began = time.monotonic()
        while not self.first.exists() or len(self.frames()) < 5:
            self.assertIsNone(process.poll(), "ended before it could be disturbed")
            self.assertLess(time.monotonic() - began, PATIENCE)
            time.sleep(0.01)

    def leave(self):
        """A journal that has everything, of a run that could not write its results."""
        (self.folder / "study.h5.tmp").mkdir()
        _, told = self.squall("run", STUDY, *FEW, "--quiet", status=1)
        (self.folder / "study.h5.tmp").rmdir()
        self.assertEqual(self.files(), ["study.journal"])
        return told

    def frames(self):
        """Places of the frames of the first file, and of its end."""
        data = self.first.read_bytes()
        places = [HEAD.size + HEAD.unpack_from(data)[3] if len(data) >= HEAD.size else len(data)]
        while places[-1] + FRAME.size <= len(data):
            _, _, _, size, _, _, _, note, *_ = FRAME.unpack_from(data, places[-1])
            places.append(places[-1] + FRAME.size + size + note)
        return places

    def wall(self):
        import h5py

        with h5py.File(self.folder / "study.h5", "r") as file:
            return file["provenance/wall_ns"][0].tolist()

    def whole(self):
        self.squall("run", STUDY, *FEW, "--quiet", "--output", "peace.h5")
        self.assert_same_results("study.h5", "peace.h5")

    def said_when_gone(self, process):
        _, told = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, told)
        self.assertIn("squall: rank 0: study.journal/rank-000000.sqj was deleted or moved while it "
                      "was being written; if study.journal was moved, go on with 'squall resume' "
                      "where it is now, else run the study anew\n", told)

    def test_a_study_that_is_running_is_not_resumed(self):
        process = self.begin(*ENDLESS)
        self.wait_until_it_records(process)
        self.assertEqual(
            self.squall("resume", "study.journal", status=1),
            ("", "squall: rank 0: study.journal/rank-000000.sqj is being written by another "
                 "process: is this study running?\n"))
        self.assertIsNone(process.poll())

    def test_a_journal_that_is_deleted_ends_the_run(self):
        process = self.begin(*ENDLESS)
        self.wait_until_it_records(process)
        shutil.rmtree(self.journal)
        self.said_when_gone(process)
        self.assertEqual(self.files(), [])

    def test_a_journal_that_is_moved_can_be_resumed(self):
        process = self.begin(*ENDLESS)
        self.wait_until_it_records(process)
        self.journal.rename(self.folder / "other.journal")
        self.said_when_gone(process)
        self.assertEqual(self.files(), ["other.journal"])
        (self.folder / "other.journal").rename(self.journal)
        self.assertGreater(len(self.frames()), 3)

    def test_frames_behind_a_damaged_one_are_kept(self):
        """Whether its payload or its header is damaged: it is run again, and nothing else."""
        self.leave()
        places, whole = self.frames(), self.first.read_bytes()
        before = {}  # replications and the time they took
        for at in places[1:-1]:
            _, _, _, _, _, replication, wall, *_ = FRAME.unpack_from(whole, at)
            before[replication] = (at, wall)
        for number, where in (2, FRAME.size + 3), (5, 9):
            with self.subTest(where):
                damaged = bytearray(whole)
                damaged[before[number][0] + where] ^= 0xff
                self.journal.mkdir(exist_ok=True)
                self.first.write_bytes(damaged)
                _, told = self.squall("resume", self.journal.name, "--force", "--quiet")
                self.assertEqual(told, "squall: study.journal is damaged in 1 places; what was "
                                       "there is run again\n")
                again = [r for r, wall in enumerate(self.wall()) if wall != before[r][1]]
                self.assertEqual(again, [number])
        self.whole()

    def test_a_journal_that_is_whole_can_be_merged(self):
        """While it stays, its results can be made again; and without it, they are the same."""
        self.leave()
        told, complaint = self.squall("merge", "study.journal", "--output", "merged.h5")
        self.assertEqual((told, complaint), ("merged.h5\n", ""))
        self.squall("merge", "study.journal", "--remove")
        self.assertEqual(self.files(), ["merged.h5", "study.h5"])
        self.assert_same_results("merged.h5", "study.h5")
        self.whole()
        _, complaint = self.squall("merge", "study.journal", "--remove", "--partial", status=2)
        self.assertIn("--remove does not go with --partial", complaint)
        self.assertIn("the journal is missing", self.squall("merge", status=2)[1])

    def test_a_file_in_the_journals_place(self):
        self.journal.write_text("mine")
        _, told = self.squall("run", STUDY, status=2)
        self.assertEqual(told, "squall: cannot open the journal study.journal: Not a directory (a "
                               "journal is a directory; if this file is in its way, move it)\n")
        self.assertEqual(self.journal.read_text(), "mine")

    def test_other_files_in_a_journal_stay(self):
        self.leave()
        (self.journal / "notes").write_text("mine")
        _, complaint = self.squall("resume", self.journal.name, "--quiet")
        self.assertEqual(complaint, "squall: study.h5 is whole; study.journal holds files that "
                                    "squall did not write, and stays: remove it by hand\n")
        self.assertEqual(list(self.journal.iterdir()), [self.journal / "notes"])
        self.whole()

    def test_results_that_cannot_be_written(self):
        """The journal stays, and the results are written when they can be."""
        told = self.leave()
        self.assertIn("squall: cannot write study.h5.tmp", told)
        self.assertIn("Finished replications are in study.journal: 'squall resume study.journal' "
                      "writes the results again.\n", told)
        before = self.first.read_bytes()
        # No file may grow: what is finished needs no room in the journal.
        limited = ["mpirun", "-n", "1", "sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"]
        done = subprocess.run([*limited, *self.command("resume", "study.journal", "--quiet")],
                              cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"squall: cannot write study\.h5\.tmp \(.*\): File too large")
        self.assertEqual(self.files(), ["study.journal"])
        self.assertEqual(self.first.read_bytes(), before)
        self.squall("resume", "study.journal", "--quiet")
        self.whole()

    @unittest.skipIf(SLOW, "a program that checks itself must be loaded first")
    def test_a_slow_disk_is_asked_rarely(self):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            self.skipTest("no C compiler")
        room = pathlib.Path(tempfile.mkdtemp(prefix="squall-test-"))  # LD_PRELOAD ends at spaces
        self.addCleanup(shutil.rmtree, room)
        shim, count = room / "slow_sync.so", room / "count"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, HERE / "slow_sync.c"], check=True)
        more = ["--set", "replications=150"]
        began = time.monotonic()
        self.squall("run", STUDY, *more, "--quiet", env={
            **self.environment, "LD_PRELOAD": str(shim), "SLOW_SYNC_COUNT": str(count)})
        took = time.monotonic() - began
        # One when the file is made, one when it is closed, and between them one in 6 s.
        self.assertLessEqual(count.stat().st_size, 2 + took / 6)
        self.assertGreaterEqual(count.stat().st_size, 2)
        self.squall("run", STUDY, *more, "--quiet", "--output", "peace.h5")
        self.assert_same_results("study.h5", "peace.h5")


if __name__ == "__main__":
    unittest.main()
