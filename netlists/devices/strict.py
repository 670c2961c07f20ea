"""What every part of a device set's file is: frozen, without unknown keys, some with a source."""

from pydantic import BaseModel, ConfigDict, Field

from interconnect.provenance import Provenance, Status


class Strict(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcedMapping(Strict):
    """A mapping that says where its values come from."""

    status: Status
    source: str = Field(min_length=1)

    @property
    def provenance(self) -> Provenance:
        """Status and source as one value."""
        return Provenance(self.status, self.source)
