# SPDX-License-Identifier: Apache-2.0
"""What setup.cfg cannot say. There is no pyproject.toml, so that pip builds with the setuptools
that are there, and a machine without a network can install the package."""

import pathlib
import re
from importlib.util import find_spec

from setuptools import setup

MODULES = {  # what the package imports, and where pip gets it
    "h5py": "h5py",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "xarray": "xarray",
    "yaml": "PyYAML",
}

project = pathlib.Path(__file__).resolve().parent.parent / "CMakeLists.txt"
setup(
    version=re.search(r"project\(.*?VERSION\s+([0-9.]+)", project.read_text(), re.DOTALL)[1],
    # Debian's h5py does not go by this name with pip: only what cannot be imported is asked for.
    install_requires=[name for module, name in MODULES.items() if find_spec(module) is None],
)
