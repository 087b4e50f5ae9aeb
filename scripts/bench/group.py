"""What a group of measurements is: how it is run, and how it is shown."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Column:
    """One number of a run in a table.

    kind: 'value', or compared with the setup's base: 'added' (how much more),
    'times' (how many times as much). scale turns a sample's unit into the
    heading's.
    """
    heading: str
    name: str
    kind: str = 'value'
    scale: float = 1


@dataclasses.dataclass(frozen=True)
class Chart:
    """The column that is drawn. Bars begin at the origin; a curve is over the
    numbers at the ends of the cases' names."""
    heading: str
    column: Column
    origin: float = 0
    logarithmic: bool = False
    curve: bool = False


@dataclasses.dataclass(frozen=True)
class Group:
    title: str
    about: str                   # what is measured, in a few sentences
    run: typing.Callable         # of a Bench
    case_title: typing.Callable  # of a case's name
    columns: tuple
    chart: Chart
