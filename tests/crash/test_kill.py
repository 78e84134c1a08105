# SPDX-License-Identifier: Apache-2.0
"""Kills at random moments cost what was under way, and nothing else: what had been finished is not
run again, and the results are those of a run that nobody disturbed."""
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, SLOW, OutsideTest  # noqa: E402

STUDY = HERE / "study.yaml"
FEWER = ["--set", "replications=16"] if SLOW else []
TRIALS = 3 if SLOW else 10  # of each kind
SECONDS_TO_END = 30 if SLOW else 10  # of ranks, when one of them was killed; 2 is the rule
SECONDS_ALONE = 5  # of mpirun without ranks
HEAD = struct.Struct("<8sIQQII")  # of a journal file; the fourth is the length of what follows
# Sign, checksum, kind, size, point, replication, wall time, size of the note, two checksums.
FRAME = struct.Struct("<4sIIQQQQQII")
RECORD = 0  # kind of frame


def frames(journal):
    """The replications that a journal holds, with the time that each took."""
    found = {}
    for path in journal.glob("*.sqj"):
        data = path.read_bytes()
        at = HEAD.size + HEAD.unpack_from(data)[3] if len(data) >= HEAD.size else len(data)
        while at + FRAME.size <= len(data):
            sign, _, kind, size, _, replication, wall, note, *_ = FRAME.unpack_from(data, at)
            assert sign == b"SQFR", f"{path} at {at}"
            at += FRAME.size + size + note
            if at <= len(data) and kind == RECORD:
                found[replication] = wall
    return found


def about(pid, field):
    """Of what /proc/PID/stat has behind the name: 0 is the state, 1 the parent."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None  # ended meanwhile
    return text.rpartition(")")[2].split()[field]


def state(pid):
    return about(pid, 0)


def parent(pid):
    found = about(pid, 1)
    return found and int(found)


def catches(pid, number):
    """Whether a process has a handler for a signal, see proc(5)."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^SigCgt:\s*(\w+)", text, re.M)[1], 16) >> (number - 1) & 1


def ranks_of(process, ranks):
    """The process ids of the program itself, in no order. Fewer while it starts or ends."""
    if ranks == 1:
        return [process.pid]
    return [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")
            if parent(p.name) == process.pid]


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Interrupted(OutsideTest):
    TEAM = 1  # most ranks that share a replication
    journal = property(lambda self: self.folder / "study.journal")

    @classmethod
    def setUpClass(cls):
        """How long runs take, and what comes out of one in peace."""
        peace = cls("reference")
        peace.setUp()
        cls.addClassCleanup(peace.doCleanups)
        cls.reference = peace.folder / "study.h5"
        cls.wall = {}
        for ranks in (3, 2, 1):
            began = time.monotonic()
            peace.squall("run", STUDY, "--force", *FEWER, ranks=ranks)
            cls.wall[ranks] = time.monotonic() - began

    def reference(self):
        """Stands for a test while setUpClass makes the reference."""

    def empty(self):
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def team(self, ranks):
        return ["--ranks-per-replication", str(min(ranks, self.TEAM))]

    def begin(self, *arguments, ranks):
        return self.started(self.command(*arguments, *self.team(ranks), "--quiet", ranks=ranks))

    def resume(self, before, ranks):
        """Finishes a run of which `before` was finished already."""
        self.squall("resume", self.journal, *self.team(ranks), "--quiet", ranks=ranks)
        self.assert_whole(before)

    def assert_whole(self, before):
        import h5py

        self.assert_same_results("study.h5", self.reference)
        self.assertEqual([f for f in self.files() if f.startswith("study")], ["study.h5"])
        with h5py.File(self.folder / "study.h5", "r") as file:
            wall = file["provenance/wall_ns"][0].tolist()
        self.assertEqual(before, {r: wall[r] for r in before}, "something was run again")


class Kills(Interrupted):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SQUALL_KILL_SEED") or random.SystemRandom().getrandbits(32))
        self.chance = random.Random(seed)
        print(f"{self.id()}: SQUALL_KILL_SEED={seed}", flush=True)

    def await_end(self, process, ranks):
        """mpirun ends when its ranks have, which they must within seconds. But a rank that dies while
        Open MPI 4.1 connects can leave mpirun itself in a deadlock (a use after free in the error
        path of PMIx 4.2, ptl_base_connection_hdlr.c; seen in one of a hundred kills in the first
        tenth of a second). There is nobody left then who could be told of it."""
        began = alone = time.monotonic()
        while process.poll() is None:
            now = time.monotonic()
            living = [pid for pid in ranks_of(process, ranks) if state(pid) not in (None, "Z")]
            alone = now if living else alone
            self.assertFalse(living and now - began > SECONDS_TO_END, "ranks wait for a dead one")
            if now - alone > SECONDS_ALONE:
                kill(process.pid)
                process.wait(PATIENCE)
            time.sleep(0.01)

    def kill_once(self, arguments, ranks, everybody, begin, end):
        """Kills a run at a random moment. Returns what the journal holds, None when there are
        results: these have to be whole."""
        process = self.begin(*arguments, ranks=ranks)
        time.sleep(self.chance.uniform(begin, end))
        victims = ranks_of(process, ranks) or [process.pid]
        for pid in victims if everybody else [self.chance.choice(victims)]:
            kill(pid)
        self.await_end(process, ranks)
        if (self.folder / "study.h5").exists():
            self.assert_same_results("study.h5", self.reference)
            return None
        return frames(self.journal)

    def trial(self, number, everybody, crew):
        """Every other time the resumed run is killed, too; every third kill comes near the end,
        when results are written. Returns whether something was left to resume."""
        first, second, last = crew
        begin = 0.0 if number % 3 else 0.8 * self.wall[first]
        before = self.kill_once(("run", STUDY, *FEWER), first, everybody, begin, self.wall[first])
        if before and number % 2:
            later = self.kill_once(("resume", self.journal), second, everybody, 0.0,
                                   self.wall[second] / 2)
            self.assertTrue(later is None or before.items() <= later.items())
            before = later
        if before:
            self.resume(before, last)
        elif before == {}:
            self.squall("run", STUDY, "--resume", "--quiet", *FEWER, ranks=last)
            self.assert_whole({})
        return bool(before)

    def trials(self, everybody, crews):
        resumed = number = 0
        # On a busy machine, starting takes so long that some kills come before anything is done.
        while number < TRIALS or (resumed == 0 and number < 10 * TRIALS):
            crew = crews[number % len(crews)]
            self.empty()
            with self.subTest(number=number, crew=crew):
                resumed += self.trial(number, everybody, crew)
            number += 1
        self.assertGreater(resumed, 0, "no kill left anything to resume")

    def test_all_ranks(self):
        self.trials(True, [(1, 2, 3), (2, 3, 1), (3, 1, 2)])

    def test_one_rank(self):
        self.trials(False, [(2, 3, 1), (3, 2, 1)])


class TeamKills(Kills):
    """Ranks that share a replication end together: no peer waits for a dead one."""
    TEAM = 2

    def test_all_ranks(self):
        self.trials(True, [(2, 1, 2), (3, 2, 1)])


class Signals(Interrupted):
    def wait_until(self, process, condition):
        began = time.monotonic()
        while not condition():
            self.assertIsNone(process.poll(), "ended before it could be disturbed")
            self.assertLess(time.monotonic() - began, PATIENCE)
            time.sleep(0.001)

    def stop(self, name, ranks, whom):
        """Begins in an empty folder; returns how the program ended, what it said, and should."""
        self.empty()
        process = self.begin("run", STUDY, *FEWER, ranks=ranks)
        self.wait_until(process, lambda: frames(self.journal))
        kill(whom(process), getattr(signal, name))
        _, told = process.communicate(timeout=PATIENCE)
        line = (f"squall: stopped by {name}; finished replications are in study.journal: "
                "'squall resume study.journal' goes on\n")
        self.assertEqual(self.files(), ["study.journal"])
        return process.returncode, told, line

    def test_alone(self):
        for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
            with self.subTest(name):
                status, told, line = self.stop(name, 1, lambda process: process.pid)
                self.assertEqual((status, told), (3, line))
                self.resume(frames(self.journal), 2)

    def test_warned_by_a_batch_system(self):
        """mpirun hands SIGUSR1 on to all ranks."""
        status, told, line = self.stop("SIGUSR1", 2, lambda process: process.pid)
        self.assertEqual(status, 3)
        self.assertIn(line, told)
        self.resume(frames(self.journal), 1)

    def test_one_rank_of_three(self):
        """Whichever it is, everybody stops."""
        for which in range(3):
            with self.subTest(which):
                status, told, line = self.stop(
                    "SIGUSR1", 3, lambda process: sorted(ranks_of(process, 3))[which])
                self.assertEqual(status, 3)
                self.assertIn(line if which == 0 else "squall: stopped", told)
                self.resume(frames(self.journal), 1 + which)

    def test_one_rank_of_a_team(self):
        """Whichever it is, its team stops in the middle of a replication."""
        self.TEAM = 3
        self.test_one_rank_of_three()

    def test_torn_end(self):
        """A frame that was not written to its end is run again, and what follows is kept."""
        self.stop("SIGTERM", 1, lambda process: process.pid)
        path = self.journal / "rank-000000.sqj"
        whole = len(frames(self.journal))
        os.truncate(path, path.stat().st_size - 10)
        before = frames(self.journal)
        self.assertEqual(len(before), whole - 1)
        self.resume(before, 1)

    def test_before_anything_is_finished(self):
        endless = ["--set", "replications=1", "--set", "duration=100d"]
        process = self.begin("run", STUDY, *endless, ranks=1)
        self.wait_until(process, lambda: list(self.journal.glob("*.sqj")))
        kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 3)
        self.assertEqual(frames(self.journal), {})
        process = self.begin("resume", self.journal, ranks=1)
        self.wait_until(process, lambda: catches(process.pid, signal.SIGTERM))
        time.sleep(0.5)
        self.assertIsNone(process.poll(), "was not resumed")
        kill(process.pid, signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 3)


if __name__ == "__main__":
    unittest.main()
