"""What every deck that is ready to run has."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deck:
    """A deck's text, its title, and the vectors that are saved."""

    text: str
    title: str
    outputs: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()
