# SPDX-License-Identifier: Apache-2.0
"""The pages made from the program are up to date, and the configurations that come with it load.

After a change of the language:
    squall describe --markdown > configs/reference.md
    squall describe --json-schema > configs/schema.json
"""
import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from outside import SOURCE, OutsideTest  # noqa: E402

CONFIGS = SOURCE / "configs"
STUDIES = sorted(CONFIGS.rglob("*.yaml"))


class Reference(OutsideTest):
    def assert_made_by(self, page, option):
        self.assertEqual((CONFIGS / page).read_text(), self.squall("describe", option)[0],
                         f"'squall describe {option} > configs/{page}' is due")

    def test_page(self):
        self.assert_made_by("reference.md", "--markdown")

    def test_schema(self):
        self.assert_made_by("schema.json", "--json-schema")

    def test_configurations_load(self):
        self.assertGreater(len(STUDIES), 0)
        for path in STUDIES:
            with self.subTest(path.name):
                told, complaints = self.squall("check", path, cwd=path.parent)
                self.assertTrue(told.endswith("no mistakes\n"))
                self.assertEqual(complaints, "")

    def test_configurations_fit_the_schema(self):
        try:
            import jsonschema
            import yaml
        except ImportError as missing:
            self.skipTest(f"Python has no {missing.name}")
        schema = json.loads((CONFIGS / "schema.json").read_text())
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        validator = kind(schema)

        def complaints(path):
            return [f"{path.name}: {e.json_path}: {e.message}"
                    for e in validator.iter_errors(yaml.safe_load(path.read_text()))]

        for path in [*STUDIES, *(HERE.parent / "parallel").glob("*.yaml")]:
            self.assertEqual(complaints(path), [])
        for name in ("unknown_key", "wrong_kind", "unknown_word", "missing"):
            self.assertNotEqual(complaints(HERE / f"bad/{name}.yaml"), [], name)


if __name__ == "__main__":
    unittest.main()
