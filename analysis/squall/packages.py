# SPDX-License-Identifier: Apache-2.0
"""The packages that this one needs, and what to say where one is missing."""

from __future__ import annotations

DEBIAN = {  # by the name that is imported
    "contourpy": "python3-contourpy",
    "h5py": "python3-h5py",
    "matplotlib": "python3-matplotlib",
    "numpy": "python3-numpy",
    "pandas": "python3-pandas",
    "scipy": "python3-scipy",
    "xarray": "python3-xarray",
    "yaml": "python3-yaml",
}


def missing(error: ModuleNotFoundError) -> str | None:
    """What to do where a module is not found; None where it is none of these."""
    module = (error.name or "").partition(".")[0]
    if module not in DEBIAN:
        return None
    return (
        f"this Python has no {module}: install {' '.join(DEBIAN.values())} of Debian, and run "
        "/usr/bin/python3"
    )
