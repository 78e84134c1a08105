# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped in its first moments says how to go on, and ranks whose launcher has died
end by themselves."""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, SLOW, SQUALL, OutsideTest  # noqa: E402
import test_kill  # noqa: E402
from test_kill import kill  # noqa: E402

STUDY = HERE / "study.yaml"
ENDLESS = ["--set", "replications=100", "--set", "duration=100d", "--set", "interval=none"]
NOTHING = ("squall: stopped by {}; nothing was begun yet, and the same command begins again\n")
STOPPED = ("squall: stopped by {}; finished replications are in study.journal: "
           "'squall resume study.journal' goes on\n")


def await_that(condition):
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > PATIENCE:
            raise AssertionError("this takes for ever")
        time.sleep(0.001)


class Early(OutsideTest):
    TRIALS = 5 if SLOW else 25

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SQUALL_KILL_SEED") or random.SystemRandom().getrandbits(32))
        self.chance = random.Random(seed)
        print(f"{self.id()}: SQUALL_KILL_SEED={seed}", flush=True)

    def hears(self, pid, number):
        """Whether the program catches the signal, which it has to before MPI makes its threads."""
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        caught = int(re.search(r"^SigCgt:\s*(\w+)", text, re.M)[1], 16) >> (number - 1) & 1
        threads = int(re.search(r"^Threads:\s*(\d+)", text, re.M)[1])
        self.assertTrue(caught or threads == 1, "signals are heard of after MPI_Init only")
        return caught

    def stop(self, name):
        """Stops a run in its first moments: before its main() nobody can hear, but from then on."""
        number = getattr(signal, name)
        process = subprocess.Popen(self.command("run", STUDY, *ENDLESS, "--quiet", "--force"),
                                   cwd=self.folder, env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        await_that(lambda: self.hears(process.pid, number))
        time.sleep(self.chance.uniform(0.0, 0.1))
        kill(process.pid, number)
        _, told = process.communicate(timeout=PATIENCE)
        return process.returncode, told

    def test_in_the_first_tenth_of_a_second(self):
        for number in range(self.TRIALS):
            name = ("SIGTERM", "SIGUSR1", "SIGINT")[number % 3]
            with self.subTest(number=number, name=name):
                there = bool(self.files())
                status, told = self.stop(name)
                self.assertEqual(status, 3, told)
                self.assertIn(told, (NOTHING.format(name), STOPPED.format(name)))
                if told == STOPPED.format(name):
                    self.assertEqual(self.files(), ["study.journal"])
                elif not there:
                    self.assertEqual(self.files(), [])


class Orphans(OutsideTest):
    SECONDS = 30 if SLOW else 10  # to end in; 2 is the rule

    def launch(self, *command, environment=None):
        errors = open(self.folder / "told.txt", "w")
        self.addCleanup(errors.close)
        process = subprocess.Popen(command, cwd=self.folder, env=environment or self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=errors)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def await_end(self, pids):
        began = time.monotonic()
        while any(test_kill.state(pid) not in (None, "Z") for pid in pids):
            self.assertLess(time.monotonic() - began, self.SECONDS, "ranks live on")
            time.sleep(0.01)

    def test_mpirun_is_killed(self):
        for ranks, team in ((2, 1), (3, 1), (3, 3)):
            with self.subTest(ranks=ranks, team=team):
                journal = self.folder / "study.journal"
                shutil.rmtree(journal, ignore_errors=True)
                process = self.launch(*self.command(
                    "run", STUDY, "--set", "replications=2000", "--quiet",
                    "--ranks-per-replication", team, ranks=ranks))
                await_that(lambda: len(test_kill.frames(journal)) > 3)
                pids = test_kill.ranks_of(process, ranks)
                for pid in pids:
                    self.addCleanup(kill, pid)
                self.assertEqual(len(pids), ranks)
                kill(process.pid)
                process.wait(PATIENCE)
                self.await_end(pids)
                before = test_kill.frames(journal)
                self.squall("resume", "study.journal", "--quiet", "--time-limit", "1s", status=3)
                self.assertLessEqual(before.items(), test_kill.frames(journal).items())

    def orphan(self, **environment):
        """Begins a run under a shell, and kills the shell. Returns the run's process id."""
        script = '"$0" run "$1" --quiet --force --set duration=100d --set interval=none & ' \
                 'echo $! >pid; wait'
        shell = self.launch("sh", "-c", script, SQUALL, str(STUDY),
                            environment={**self.environment, **environment})
        number = self.folder / "pid"
        await_that(lambda: number.exists() and number.read_text().endswith("\n"))
        pid = int(number.read_text())
        self.addCleanup(kill, pid)
        await_that(lambda: list(self.folder.glob("study.journal/*.sqj")))
        kill(shell.pid)
        shell.wait(PATIENCE)
        return pid

    def test_a_rank_without_its_launcher(self):
        """It ends by itself, even if MPI does not know that there was one."""
        pid = self.orphan(PMIX_RANK="0")
        self.await_end([pid])
        self.assertEqual((self.folder / "told.txt").read_text(),
                         "squall: rank 0: whoever launched it is gone, so it ends; finished "
                         "replications are in the journal\n")

    def test_a_program_without_its_shell(self):
        """What nobody launched as a rank goes on."""
        pid = self.orphan()
        time.sleep(1.0)
        self.assertNotIn(test_kill.state(pid), (None, "Z"))
        kill(pid, signal.SIGTERM)
        self.await_end([pid])
        self.assertEqual((self.folder / "told.txt").read_text(), STOPPED.format("SIGTERM"))


if __name__ == "__main__":
    unittest.main()
