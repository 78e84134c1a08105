# SPDX-License-Identifier: Apache-2.0
"""What the docstrings of all modules show is true."""

import doctest
import importlib
import pathlib
import pkgutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import squall


def load_tests(loader, suite, pattern):
    for module in pkgutil.iter_modules(squall.__path__, "squall."):
        if module.name != "squall.__main__":
            suite.addTests(doctest.DocTestSuite(importlib.import_module(module.name)))
    return suite
