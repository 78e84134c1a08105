# SPDX-License-Identifier: Apache-2.0
"""Studies that are run by Slurm come to the same results as one run in peace: divided among jobs of
which some are cancelled, run out of time or lose their node, and in one job on several nodes that
is requeued. Slurm is one of the tests' own, slurm/testbed."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import PATIENCE, SOURCE, OutsideTest  # noqa: E402

SCRIPTS = SOURCE / "slurm"
SWEEP = HERE / "sweep.yaml"
STUDY = HERE.parent / "crash/study.yaml"
SHARDS = 6
NODES = 3  # of two cores each: all shards run at once


def free_ports(n):
    """The first of n ports, one after the other, that nobody has."""
    for first in range(20000 + os.getpid() % 1000 * 8, 32000, n):
        try:
            for port in range(first, first + n):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no port is free")


def until(condition, what, patience=PATIENCE):
    """Polls; returns what the condition was at last."""
    end = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"in vain: {what}")
        time.sleep(0.05)
    return found


def contents(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""  # not there, or no more


class Bed:
    """A Slurm, with nodes n1 to n3."""

    def __init__(self):
        self.room = tempfile.mkdtemp(prefix="squall-slurm-")  # Slurm bears no spaces
        self.environment = {**os.environ, "SQUALL_TESTBED": f"{self.room}/bed",
                            "SQUALL_TESTBED_NODES": str(NODES), "SQUALL_TESTBED_CPUS": "2",
                            "SQUALL_TESTBED_PORT": str(free_ports(NODES + 1)),
                            "SLURM_CONF": f"{self.room}/bed/slurm.conf"}

    def do(self, *arguments):
        subprocess.run([SCRIPTS / "testbed", *arguments], env=self.environment, check=True,
                       timeout=PATIENCE)

    def stop(self):
        self.do("stop")
        shutil.rmtree(self.room)

    def ask(self, *command):
        """What one of Slurm's commands says."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              timeout=PATIENCE, check=True)
        return done.stdout

    def queue(self, form, *options):
        """Of all jobs that have not ended: tuples of strings."""
        lines = self.ask("squeue", "-h", "-r", "-o", form, *options).splitlines()
        return [tuple(line.split()) for line in lines]

    def has_left(self, *jobs):
        """Whether nothing of these jobs is in the queue any more."""
        return not any(job in jobs for job, in self.queue("%F"))

    def programs(self, job, task=None):
        """The processes of squall itself in a job."""
        wanted = {f"SLURM_CONF={self.environment['SLURM_CONF']}"}
        wanted |= {f"SLURM_ARRAY_JOB_ID={job}", f"SLURM_ARRAY_TASK_ID={task}"} if task else {
            f"SLURM_JOB_ID={job}"}
        return [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")
                if contents(p / "comm") == b"squall\n" and
                wanted <= set(contents(p / "environ").decode(errors="replace").split("\0"))]


class SlurmTest(OutsideTest):
    @classmethod
    def setUpClass(cls):
        cls.bed = Bed()
        cls.addClassCleanup(cls.bed.stop)
        cls.bed.do("start")

    def setUp(self):
        super().setUp()
        self.environment["SLURM_CONF"] = self.bed.environment["SLURM_CONF"]

    def script(self, name, *arguments, status=0):
        done = subprocess.run([SCRIPTS / name, *map(str, arguments)], cwd=self.folder,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def submit(self, *arguments, **options):
        """Returns the numbers of the jobs by their kinds, and what was said."""
        said = self.script("submit", *arguments, **options)
        return dict(re.findall(r"^Submitted (\w+) as job (\d+)", said, re.M)), said

    def log(self, study, work):
        return contents(self.folder / f"{study}.slurm/logs/{work}.log").decode()

    def finish(self, jobs, patience=PATIENCE):
        until(lambda: self.bed.has_left(*jobs.values()), f"{jobs} end", patience)

    def begun(self, journal):
        """Whether a replication is in a journal: each has a frame, as may have whoever writes."""
        files = (self.folder / journal).glob("*.sqj")
        return sum(contents(f).count(b"SQFR") for f in files) > 1

    def warn(self, job, ready):
        """What Slurm does some time before the limit."""
        until(lambda: ready() and any(catches(p, signal.SIGUSR1) for p in self.bed.programs(job)),
              f"job {job} begins")
        self.bed.ask("scancel", "--batch", "--signal=USR1", job)


def catches(pid, number):
    """Whether a process has a handler for a signal, see proc(5)."""
    found = re.search(rb"^SigCgt:\s*(\w+)", contents(pathlib.Path(f"/proc/{pid}/status")), re.M)
    return found and int(found[1], 16) >> (number - 1) & 1


class Jobs(SlurmTest):
    """Jobs that are left in peace, or nearly so."""

    def test_a_plan_submits_nothing(self):
        said = self.script("submit", SWEEP, "--array", "8", "--only=2,5-8", "--plan",
                           "--partition", "all", "--", "--set", "replications=2")
        self.assertIn("2 replications of 40s", said)
        self.assertIn("#SBATCH --partition=all\n", said)
        self.assertIn("sbatch --array=2,5-8 shards.sh\n", said)
        self.assertEqual(self.files(), [])

    def test_mistakes_submit_nothing(self):
        for arguments, told in [
                ([], "usage"),
                ([SWEEP, "--tim", "3"], "unknown option --tim"),
                ([SWEEP, "--array", "few"], "not 'few'"),
                ([SWEEP, "--array", "3", "--only", "3-4"], "shards are from 1 to 3"),
                (["nowhere.yaml"], "nowhere.yaml cannot be read"),
                ([SWEEP, "--", "--set", "web.concurency=3"], "did you mean 'concurrency'?")]:
            with self.subTest(told):
                self.assertIn(told, self.script("submit", *arguments, status=2))
                self.assertEqual(self.files(), [])

    def test_a_folder_belongs_to_one_study(self):
        few = ["--set", "replications=2"]
        jobs, _ = self.submit(STUDY, "--", *few)
        said = self.script("submit", STUDY, "--array", "2", "--", *few, status=2)
        self.assertIn("is of another study", said)
        self.finish(jobs)
        self.assertIn("Done: ", self.script("submit", STUDY, "--", *few))
        self.assertIn("study.h5 is there", self.script("status", "study.slurm"))

    def test_a_merge_names_what_is_missing(self):
        arguments = [STUDY, "--array", "3", "--", "--set", "replications=6"]
        jobs, said = self.submit(*arguments[:3], "--only", "2", *arguments[3:])
        self.assertIn("--array=2)", said)
        self.finish(jobs)
        said = self.log("study", "merge")
        self.assertIn("shard 1 of 3 is missing", said)
        self.assertNotIn("shard 2 of 3", said)
        self.assertIn("shard 3 of 3 is missing", said)
        self.assertIn("submit", said)
        said = self.script("status", "study.slurm", status=3)
        self.assertRegex(said, "shard-1 +not begun")
        self.assertRegex(said, "merge +FAILED.*logs/merge.log")
        jobs, said = self.submit(*arguments)
        self.assertIn("--array=1,3)", said)
        self.finish(jobs)
        self.squall("run", STUDY, *arguments[4:], "--quiet")
        self.assert_same_results("study.h5", "study.slurm/study.h5")

    def test_nothing_is_submitted_twice(self):
        """Nor when Slurm does not tell what there is."""
        command = [STUDY, "--array", "2", "--", "--set", "duration=100d", "--set", "replications=2"]
        jobs, _ = self.submit(*command)
        again, said = self.submit(*command)
        self.assertEqual(again, {})
        self.assertIn("done or in the queue", said)
        for name in ("squeue", "sbatch"):
            path = self.folder / name
            path.write_text("#!/bin/sh\nexit 1\n" if name == "squeue" else "#!/bin/sh\necho 99\n")
            path.chmod(0o755)
        self.environment["PATH"] = f"{self.folder}:{self.environment['PATH']}"
        again, said = self.submit(*command, status=2)
        self.assertEqual(again, {})
        self.assertIn("is Slurm up?", said)
        self.bed.ask("scancel", *jobs.values())
        self.finish(jobs)

    def test_no_progress_ends_a_job(self):
        """What never comes to an end within its time is not requeued for ever."""
        job = self.submit(STUDY, "--stalls", "1", "--", "--set", "duration=100d", "--set",
                          "replications=1")[0]["run"]
        for restarts in range(2):
            self.warn(job, lambda: f"restarted {restarts} times" in self.log("study", "run"))
        self.finish({"run": job})
        self.assertIn("Not one replication was finished in 2 runs", self.log("study", "run"))
        self.assertIn("failed: no progress", self.script("status", "study.slurm", status=3))


class Disturbed(SlurmTest):
    """One sweep, in two ways."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        peace = cls("reference")
        peace.setUp()
        cls.addClassCleanup(peace.doCleanups)
        cls.reference = peace.folder / "sweep.h5"
        peace.squall("run", SWEEP, "--quiet")

    def reference(self):
        """Stands for a test while setUpClass makes the reference."""

    def test_a_run_on_two_nodes_is_requeued(self):
        job = self.submit(SWEEP, "--nodes", "2", "--ntasks", "2", "--warning=0")[0]["run"]
        self.warn(job, lambda: self.begun("sweep.slurm/sweep.journal"))
        self.finish({"run": job})
        said = self.log("sweep", "run")
        self.assertIn("stopped by SIGUSR1", said)
        self.assertIn("restarted 1 times", said)
        self.assert_same_results("sweep.slurm/sweep.h5", self.reference)

    def journal(self, shard):
        return f"sweep.slurm/sweep.shard-{shard}-of-{SHARDS}.journal"

    def freeze(self, job):
        """Stops the program of each shard when it has finished something. Returns the processes."""
        frozen = {}

        def catch():
            for shard in range(1, SHARDS + 1):
                if shard not in frozen and self.begun(self.journal(shard)):
                    frozen[shard], = self.bed.programs(job, shard)
                    os.kill(frozen[shard], signal.SIGSTOP)
            return len(frozen) == SHARDS

        until(catch, "all shards begin")
        return frozen

    def nodes(self, job):
        """The shards that are on each node."""
        found = {}
        for of, shard, node in self.bed.queue("%F %K %N", "-t", "running"):
            if of == job:
                found.setdefault(node, []).append(int(shard))
        return found

    def disturb(self, job):
        """Returns the shard that is cancelled, the one that runs out of time, and those that are
        requeued: one is warned, and the others lose their node."""
        frozen = self.freeze(job)
        nodes = self.nodes(job)
        self.assertEqual(len(nodes), NODES)
        (_, (cancelled, warned)), (_, (late, _)), (node, lost) = nodes.items()
        self.bed.do("fail", node)
        self.bed.ask("scancel", f"{job}_{cancelled}")
        self.bed.ask("scancel", "--batch", "--signal=USR1", f"{job}_{warned}")
        for shard, pid in frozen.items():
            if shard != late and shard not in lost:
                os.kill(pid, signal.SIGCONT)
        return cancelled, late, {warned, *lost}

    def ends(self, job):
        """How each shard has ended, with its number of restarts."""
        found = {}
        for record in self.bed.ask("scontrol", "show", "job", "-o", job).splitlines():
            about = dict(word.split("=", 1) for word in record.split() if "=" in word)
            found[int(about["ArrayTaskId"])] = about["JobState"], int(about["Restarts"])
        return found

    def walls(self, path):
        """The time that each replication took, by point; 0 where it is missing."""
        import h5py

        with h5py.File(self.folder / path, "r") as file:
            return file["provenance/wall_ns"][()]

    def test_an_array_loses_nothing(self):
        command = [SWEEP, "--array", SHARDS, "--time", "1", "--warning", "0"]
        jobs, _ = self.submit(*command)
        cancelled, late, requeued = self.disturb(jobs["shards"])
        self.finish(jobs, 2 * PATIENCE)
        ends = self.ends(jobs["shards"])
        self.assertEqual(ends[cancelled], ("CANCELLED", 0))
        self.assertEqual(ends[late], ("TIMEOUT", 0))
        for shard in ends.keys() - {cancelled, late}:
            self.assertEqual(ends[shard], ("COMPLETED", shard in requeued))

        left = sorted([cancelled, late])
        said = self.log("sweep", "merge")
        self.assertEqual([int(s) for s in re.findall(r"shard (\d) of 6 lacks", said)], left)
        said = self.script("status", "sweep.slurm", status=3)
        self.assertEqual([int(s) for s in re.findall(r"^  shard-(\d) ", said, re.M)], left)
        self.squall("merge", "--partial", "-o", "before.h5",
                    *sorted(self.folder.glob("sweep.slurm/*.journal")))

        jobs, said = self.submit(*command)
        self.assertIn(f"--array={left[0]}{'-' if left[1] - left[0] == 1 else ','}{left[1]})", said)
        self.finish(jobs)
        self.assert_same_results("sweep.slurm/sweep.h5", self.reference)
        before, after = self.walls("before.h5"), self.walls("sweep.slurm/sweep.h5")
        self.assertTrue(((before == after) | (before == 0)).all(), "something was run again")


if __name__ == "__main__":
    if not shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin"):
        print("Slurm is not installed: nothing was tested")
        sys.exit(77)
    unittest.main()
