# SPDX-License-Identifier: Apache-2.0
"""Every mistake is answered with its place, exactly as written down here, and with status 2.

The files of bad/ end with what the program says of them, behind `#> `. {types} stands for the
types of entities, which are many and grow.
"""
import os
import pathlib
import shlex
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SOURCE, OutsideTest  # noqa: E402

TYPES = ", ".join(sorted(path.stem for path in (SOURCE / "src/entities").glob("*.c")))
MARK = "#> "
GOOD = "squall: 1\nduration: 1s\nentities:\n  web: {type: server}\n"

# What cannot be shown well as a file: how to make it, and what is said of it.
MADE = {
    "empty": (b"", ": nothing is written here"),
    "comments": (b"# only\n# words\n", ": nothing is written here"),
    "word": (b"hello\n", ":1:1: expected a mapping, found 'hello'"),
    "list": (b"- a\n- b\n", ":1:1: expected a mapping, found a sequence"),
    "program": (b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe",
                ":1:1: not a text in UTF-8: control characters are not allowed (0x7f)"),
    "latin1": (b"squall: 1\nname: caf\xe9\n",
               ":2:10: not a text in UTF-8: incomplete UTF-8 octet sequence"),
    "zero": (b'squall: 1\nname: "a\\0b"\n', ":2:7: a text must not contain a zero byte"),
    "deep": (b"squall: 1\nname: " + b"[" * 100000 + b"]" * 100000,
             ":2:70: nested deeper than 64 levels"),
    "keys": (b"squall: 1\n" + b"a: {" * 100 + b"}" * 100, ":2:256: nested deeper than 64 levels"),
    "huge": (b"#" * 100000000, ": larger than 16 MiB"),
}

TRY = "Try `squall {0} --help' or `squall {0} --usage' for more information.\n"
CALLS = {
    "frobnicate": "squall: there is no 'frobnicate'; 'squall --help' lists what there is\n",
    "chekc good.yaml": "squall: there is no 'chekc' (did you mean 'check'?); 'squall --help' "
                       "lists what there is\n",
    "--frobnicate": "squall: there is no '--frobnicate'; 'squall --help' lists what there is\n",
    "check": "squall check: the configuration is missing\n" + TRY.format("check"),
    "check a b": "squall check: one argument too many: 'b'\n" + TRY.format("check"),
    "check --fast a": "squall check: unrecognized option '--fast'\n" + TRY.format("check"),
    "run": "squall run: what is to be run is missing\n" + TRY.format("run"),
    "run --output": "squall run: option '--output' requires an argument\n" + TRY.format("run"),
    "resume": "squall resume: what is to be run is missing\n" + TRY.format("resume"),
    "describe servr": "squall: nothing is called 'servr' (did you mean 'server'?); "
                      "'squall describe' lists what there is\n",
    "check nowhere.yaml": "nowhere.yaml: cannot be read: No such file or directory\n",
    "check .": ".: cannot be read: Is a directory\n",
    "run nowhere.yaml": "nowhere.yaml: cannot be read: No such file or directory\n",
    "resume nowhere": "squall: cannot open the journal nowhere: No such file or directory (when "
                      "all is done, it makes way for the results)\n",
    "resume good.yaml": "squall: cannot open the journal good.yaml: Not a directory (a journal is "
                        "a directory; if this file is in its way, move it)\n",
    "resume .": "squall: . holds nothing: no replication was ever begun\n",
    "inspect nowhere.h5": "squall: cannot read nowhere.h5: No such file or directory\n",
    "check good.yaml --set seed": "--set seed: expected PATH=VALUE\n",
    "check good.yaml --set =4": "--set =4: expected PATH=VALUE\n",
    "check good.yaml --set seed=": "--set seed=: nothing is written here\n",
    "check good.yaml --set seed=[": "--set seed=[: syntax error: did not find expected node "
                                    "content (while parsing a flow node)\n",
    "check good.yaml --set web.concurency=4":
        "--set web.concurency=4: entities.web.concurency: unknown key "
        "(did you mean 'concurrency'?)\n",
    "check good.yaml --set duration=0 --set seed=x --set web.concurrency=0":
        "--set duration=0: duration: 0s is below 1ns\n"
        "--set seed=x: seed: 'x' is not a whole number (expected for instance 16, 1e6, 1_000)\n"
        "--set web.concurrency=0: entities.web.concurrency: 0 is below 1\n",
}


def expected(path):
    lines = path.read_text().splitlines()
    said = [line[len(MARK):] for line in lines if line.startswith(MARK)]
    return "".join(line.replace("{types}", TYPES) + "\n" for line in said)


class Mistakes(OutsideTest):
    def assert_says(self, arguments, text, **options):
        self.assertEqual(self.squall(*arguments, status=2, **options), ("", text))

    def test_files(self):
        paths = sorted((HERE / "bad").glob("*.yaml"))
        self.assertGreater(len(paths), 20)
        for path in paths:
            with self.subTest(path.name):
                self.assertNotEqual(expected(path), "")
                self.assert_says(["check", path.name], expected(path), cwd=path.parent)

    def test_run_says_the_same_and_makes_nothing(self):
        path = HERE / "bad/everything.yaml"
        mentioned = expected(path).replace(path.name, str(path))
        self.assert_says(["run", path], mentioned)
        self.assert_says(["check", "--resolved", path], mentioned)
        self.assertEqual(self.files(), [])

    def test_two_ranks_say_it_once(self):
        path = HERE / "bad/unknown_key.yaml"
        _, told = self.squall("run", path, ranks=2, status=2)
        for line in expected(path).splitlines():
            self.assertEqual(told.count(line), 1)

    def test_made_files(self):
        for name, (content, said) in MADE.items():
            with self.subTest(name):
                (self.folder / name).write_bytes(content)
                self.assert_says(["check", name], name + said + "\n")

    def test_calls(self):
        (self.folder / "good.yaml").write_text(GOOD)
        for call, said in CALLS.items():
            with self.subTest(call):
                self.assert_says(shlex.split(call), said)
        self.assertEqual(self.files(), ["good.yaml"])

    def test_no_call(self):
        told = self.squall(status=2)
        self.assertEqual(told, ("", self.squall("--help")[0]))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_forbidden_file(self):
        (self.folder / "secret.yaml").touch(0)
        self.assert_says(["check", "secret.yaml"],
                         "secret.yaml: cannot be read: Permission denied\n")


if __name__ == "__main__":
    unittest.main()
