"""How evidence went: its value at evenly spaced instants, never more than `MOST` of them.

For people, who see in it whether a verdict came at once or crept up. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

MOST: Final = 32
"""Values that are kept: half an hour of looks every 10 s is one value a minute."""
BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Course:
    """log10 of E against the candidate at `started_at + step_seconds * (index + 1)`."""

    started_at: float = 0.0
    """Unix seconds."""
    step_seconds: float = 10.0
    values: tuple[float, ...] = ()
    """Rounded to hundredths."""

    def add(self, at: float, value: float) -> Self:
        """Take in what a look at `at`, Unix seconds, found. The last look before an instant is the one that is kept.

        When there are too many, every other one goes and the distance doubles. Time without looks keeps the value
        from before it: nobody knew more then.

        >>> Course(0.0, 10.0).add(10, 0.1).add(40, 2).values
        (0.1, 0.1, 0.1, 2.0)
        """
        if at <= self.started_at:
            return self
        step, values = self.step_seconds, list(self.values)
        while (slot := int(-(-(at - self.started_at) // step)) - 1) >= MOST:
            # Of each pair the later one; an odd last one has no later one yet.
            values = [*values[1::2], *(values[-1:] if len(values) % 2 else [])]
            step *= 2
        before = values[-1] if values else 0.0
        values += [before] * (slot - len(values))
        values[slot:] = [round(value, 2)]
        return type(self)(self.started_at, step, tuple(values))

    @property
    def times(self) -> tuple[float, ...]:
        """Unix seconds of each value."""
        return tuple(self.started_at + self.step_seconds * (index + 1) for index in range(len(self.values)))

    def bars(self, limit: float) -> str:
        """Draw it as a line of bars, from none (or in the candidate's favour) to the limit; empty without values.

        >>> Course(0.0, 10.0, (-3.0, 0.0, 0.9, 2.4)).bars(2.0)
        '▁▁▄█'
        """
        top = len(BARS) - 1
        return "".join(BARS[min(top, max(0, int(value / limit * top)))] for value in self.values)
