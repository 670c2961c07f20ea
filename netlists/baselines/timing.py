"""When things happen in one operation of a column of local arrays."""

from dataclasses import dataclass

from netlists.parameters import parameter, require_all_positive, tidy

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineTiming:
    """One full operation, seconds; defaults are an own choice (estimate) that settles in every built-in kind.

    Precharge and reset hold, then stop at `start`; word lines, inputs and sampling switches are on for `read`; after
    `gap` the share switches close; the level is read `settle` later; then precharge and reset are on again for
    `restore`, so that the operation ends in the state in which it began and its energies are those of a cycle.
    """

    start: float = parameter(0.1e-9, "s", "end of the precharge; the energies are counted from here")
    edge: float = parameter(20e-12, "s", "rise and fall time of the control signals at the inputs of their drivers")
    gap: float = parameter(0.1e-9, "s", "between the end of one phase and the begin of the next")
    read: float = parameter(1.0e-9, "s", "word line on, bit line discharges or settles, capacitor follows")
    settle: float = parameter(0.5e-9, "s", "from the closing of the share switches to the read")
    restore: float = parameter(0.7e-9, "s", "precharge and reset after the read")
    max_step: float = parameter(20e-12, "s", "largest time step")

    def __post_init__(self) -> None:
        require_all_positive(self, where="local timing")

    @property
    def word_at(self) -> float:
        """Word lines, inputs and sampling switches turn on, s."""
        return tidy(self.start + self.edge + self.gap)

    @property
    def sampled_at(self) -> float:
        """Sampling switches turn off, s."""
        return tidy(self.word_at + self.edge + self.read)

    @property
    def share_at(self) -> float:
        """Share switches turn on; word lines and inputs are off before, s."""
        return tidy(self.sampled_at + 2 * self.edge + 2 * self.gap)

    @property
    def read_at(self) -> float:
        """Time of the read, s."""
        return tidy(self.share_at + self.edge + self.settle)

    @property
    def stop(self) -> float:
        """End of the operation, s."""
        return tidy(self.read_at + 2 * self.edge + self.restore)

    @property
    def duration(self) -> float:
        """Of one operation, s."""
        return tidy(self.stop - self.start)

    def waves(self) -> dict[str, Points]:
        """(time, 0 or 1) corners of the control signals, 1 = active."""
        off = tidy(self.sampled_at + self.edge + self.gap)
        return {
            "precharge": self._pulses(True, self.start, self.read_at),
            "reset": self._pulses(True, self.sampled_at, self.read_at),
            "share": self._pulses(True, self.start, self.share_at),
            "sample": self._pulses(False, self.word_at, self.sampled_at),
            "word": self._pulses(False, self.word_at, off),
        }

    def _pulses(self, first: bool, *changes: float) -> Points:
        points = [(0.0, float(first))]
        for number, at in enumerate(changes):
            old = float(first) if number % 2 == 0 else 1.0 - float(first)
            points += [(at, old), (tidy(at + self.edge), 1.0 - old)]
        return tuple(points)
