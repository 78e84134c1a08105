# SPDX-License-Identifier: Apache-2.0
"""Numbers with what is needed to understand them: names of their dimensions, labels, unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas
    import xarray


@dataclass(frozen=True)
class Labels:
    """What the places along a dimension, or several, are called."""

    values: np.ndarray  # texts or numbers, shaped as its dimensions
    dims: tuple[str, ...]
    unit: str = ""  # of numbers; "1" for pure ones, "" for texts
    long_name: str = ""


@dataclass(frozen=True)
class Field:
    """An array, described.

    `coords` has labels by name; those called as a dimension are its own, others say more about it:
    the value of an axis of the sweep at each point, the group of each entity.

    >>> labels = {"entity": Labels(np.array(["a", "b"]), ("entity",))}
    >>> sent = Field(np.array([[3, 4]]), ("replication", "entity"), "1", "Sent", labels, "sent")
    >>> sent.to_pandas()
    replication  entity
    0            a         3
                 b         4
    Name: sent, dtype: int64
    """

    values: np.ndarray
    dims: tuple[str, ...]  # one name for each axis of `values`
    unit: str  # "1" for pure numbers
    long_name: str
    coords: Mapping[str, Labels] = field(default_factory=dict)
    name: str = ""

    def told(self, what: str) -> Field:
        """The same, described as something else that is made of it: "Sum of values: ..." as
        `what`."""
        return replace(self, long_name=f"{what}: {self.long_name.partition(': ')[2]}")

    def to_xarray(self) -> xarray.DataArray:
        """The same as an `xarray.DataArray` with the attributes `units` and `long_name`."""
        import xarray

        coords = {name: _variable(labels) for name, labels in self.coords.items()}
        attributes = {"units": self.unit, "long_name": self.long_name}
        return xarray.DataArray(
            self.values, coords, self.dims, name=self.name or None, attrs=attributes
        )

    def to_pandas(self) -> pandas.Series:
        """The same as a `pandas.Series`, one row for each number, its index the labels of each
        dimension; the unit is in `attrs`."""
        import pandas

        index = pandas.MultiIndex.from_product(
            [self._own_labels(dim, size) for dim, size in zip(self.dims, self.values.shape)],
            names=self.dims,
        )
        series = pandas.Series(self.values.reshape(-1), index, name=self.name or None)
        series.attrs = {"units": self.unit, "long_name": self.long_name}
        return series

    def _own_labels(self, dim: str, size: int) -> np.ndarray:
        return self.coords[dim].values if dim in self.coords else np.arange(size)


def concatenated(parts: Sequence[Field], of_points: Mapping[str, Labels]) -> Field:
    """Fields of several files as one, along their first dimension, which is that of points and gets
    these labels. Where some have fewer replications, NaN stands in their place."""
    first = parts[0]
    most = np.max([part.values.shape for part in parts], axis=0)[1:]
    whole = all((part.values.shape[1:] == most).all() for part in parts)
    values = [part.values if whole else _padded(part.values, most) for part in parts]
    longest = max(parts, key=lambda part: part.values.shape[1])
    own = {name: it for name, it in longest.coords.items() if "point" not in it.dims}
    return replace(first, values=np.concatenate(values), coords={**of_points, **own})


def _padded(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    room = np.full((len(values), *shape), np.nan)
    room[tuple(slice(size) for size in values.shape)] = values
    return room


def _variable(labels: Labels) -> xarray.Variable:
    import xarray

    described = {"units": labels.unit, "long_name": labels.long_name}
    return xarray.Variable(
        labels.dims, labels.values, {key: text for key, text in described.items() if text}
    )
