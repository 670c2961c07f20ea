"""What a macro is made of."""

import math
from dataclasses import dataclass, field

from interconnect.errors import InputError
from interconnect.provenance import Provenance
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.conversions import ConversionRule, partial_products
from metalrom.macro.inverter_cost import InverterCost
from netlists.devices.area import AreaRules, missing_rules
from netlists.mapping import MacroShape, Scheme, scheme_of

MAX_SCALE_BITS = 32

TERNARY_VALUES = 3
"""Values of a ternary weight."""


@dataclass(frozen=True, slots=True)
class MacroGeometry:
    """One macro (tile) of `planes` stacked arrays, each `rows` x `columns` cells, and how its periphery is shared.

    cell_area: footprint of one cell, m^2. group_rows: rows summed by one conversion; a column is cut into
    ceil(rows / group_rows) segments with one reset and select circuit (LCC) each. columns_per_adc: bit columns of one
    plane that share a converter, with all their segments. driver_area: one row driver of one plane, m^2.
    reset_area: the transistors of one segment, m^2. planes_per_driver, planes_per_reset: planes that share them.
    edge_width: ring around the macro, m. rows_held: rows stay driven while a shared converter works through its
    columns (else they are driven anew for each of them). symbol_values: of the cell. tiles: macros of
    this kind. utilisation: fraction of the cells that hold weights. planes_per_adc: planes whose columns share line and
    converter. tower_pitch: side of the square that a via tower from an upper plane takes, m (0: none is counted).
    conversions_per_read: of a converter that one driving of the rows serves.
    columns_per_conversion: bit columns that a conversion takes, two for their difference. sense_area: sense circuit of
    a column of planes that share it, m^2 (0: none is counted). readout: the chain
    of transistors that is billed, inverter: the inverters in the segment; None for both: an ideal readout, billed by a
    regression. rule: which conversions are made. rules: None where the device set has none; the periphery's areas are
    then not known. scale_bits: of the factor of an output (0: none is in the macro); scale_multipliers: of a tile.
    empty_share: part of the groups of a column that store nothing but zeros and are left out (see `ConversionRule`).
    """

    cell_area: float
    rows: int
    columns: int
    planes: int
    group_rows: int
    columns_per_adc: int
    adc_bits: int
    driver_area: float
    reset_area: float
    rules: AreaRules | None
    weight_bits: int = 8
    input_bits: int = 8
    mapping: str = "differential"
    tiles: int = 1
    utilisation: float = 1.0
    planes_per_driver: int = 1
    planes_per_reset: int = 1
    edge_width: float = 2e-6
    rows_held: bool = False
    symbol_values: tuple[int, ...] = (0, 1)
    planes_per_adc: int = 1
    columns_per_conversion: int = 1
    tower_pitch: float = 0.0
    conversions_per_read: int = 1
    sense_area: float = 0.0
    readout: ChainCost | None = None
    inverter: InverterCost | None = None
    rule: ConversionRule = field(default_factory=ConversionRule)
    scale_bits: int = 0
    scale_multipliers: int = 1
    empty_share: float = 0.0
    device_provenance: Provenance = field(
        default=Provenance("estimate", "device widths of the netlist laid out by gate pitch x row height")
    )

    def __post_init__(self) -> None:
        counts = ("rows", "columns", "planes", "group_rows", "columns_per_adc", "adc_bits", "tiles")
        shared = (
            "planes_per_driver",
            "planes_per_reset",
            "planes_per_adc",
            "columns_per_conversion",
            "conversions_per_read",
        )
        for name in (*counts, *shared):
            if getattr(self, name) < 1:
                raise InputError(f"macro geometry: {name} is {getattr(self, name)}, expected at least 1")
        if not 0 <= self.scale_bits <= MAX_SCALE_BITS or self.scale_multipliers < 1:
            raise InputError(
                f"macro geometry: {self.scale_multipliers} multipliers of scales of {self.scale_bits} bits",
                hint=f"1 or more of 0 to {MAX_SCALE_BITS} bits",
            )
        if not 0 <= self.empty_share < 1 or (self.empty_share and not self.rule.skip_empty):
            raise InputError(f"macro geometry: empty_share is {self.empty_share:g}, expected 0 unless they are skipped")
        for name in ("weight_bits", "input_bits"):
            if not 2 <= getattr(self, name) <= 16:
                raise InputError(f"macro geometry: {name} is {getattr(self, name)}, expected 2 to 16")
        if not self.cell_area > 0:
            raise InputError(f"macro geometry: cell_area is {self.cell_area:g} m2, expected more than 0")
        for name in ("driver_area", "reset_area", "edge_width", "tower_pitch", "sense_area"):
            if not getattr(self, name) >= 0:
                raise InputError(f"macro geometry: {name} is {getattr(self, name):g}, expected 0 or more")
        if self.group_rows > self.rows:
            raise InputError(f"macro geometry: group_rows ({self.group_rows}) exceeds rows ({self.rows})")
        if not 0 < self.utilisation <= 1:
            raise InputError(f"macro geometry: utilisation is {self.utilisation:g}, expected above 0 and up to 1")
        if self.rule.drop_below:
            self.rule.first_planes(self.read_scheme, self.input_bits)
        if self.rule.popcount_range and self.inverter is not None:
            raise InputError(
                "macro geometry: an inverter readout's ramp starts at one end, popcount_range shortens no conversion",
                hint="leave popcount_range out",
            )
        if self.weights_per_row < 1:
            raise InputError(
                f"macro geometry: {self.planes} x {self.columns} bit columns hold no weight of {self.weight_bits} bits",
                hint=f"expected at least {self.bit_columns_per_weight} bit columns",
            )

    @property
    def known_rules(self) -> AreaRules:
        """Area rules of the device set. Raises InputError where it has none."""
        if self.rules is None:
            raise missing_rules()
        return self.rules

    @property
    def bits(self) -> int:
        """Cells of one tile: its stored bits if a cell holds one."""
        return self.rows * self.columns * self.planes

    @property
    def shape(self) -> MacroShape:
        """Size of one tile, in columns that are converted: pairs of bit columns where these are read together."""
        return MacroShape(rows=self.rows, columns=self.columns // self.columns_per_conversion, planes=self.planes)

    @property
    def levels(self) -> int:
        """Levels of a cell."""
        return len(self.symbol_values)

    @property
    def bits_per_cell(self) -> float:
        """log2 of the levels of a cell."""
        return math.log2(self.levels)

    @property
    def groups(self) -> int:
        """Segments of a column."""
        return -(-self.rows // self.group_rows)

    @property
    def towers(self) -> int:
        """Via towers of one tile: from every bit line of every segment on every plane but the lowest."""
        return self.columns * self.groups * (self.planes - 1)

    @property
    def scheme(self) -> Scheme:
        """How a weight is stored."""
        return scheme_of(self.mapping, self.weight_bits, self.symbol_values)

    @property
    def read_scheme(self) -> Scheme:
        """How a weight is read: by columns, or by the differences of neighbouring ones."""
        return self.scheme if self.columns_per_conversion == 1 else self.scheme.paired()

    @property
    def conversions_per_weight(self) -> int:
        """Conversions of a weight per input bit and segment."""
        return self.read_scheme.columns

    @property
    def partial_products(self) -> int:
        """Conversions of a weight per segment, over all input bits; groups without a driven row counted."""
        scheme, bits = self.read_scheme, self.input_bits
        return partial_products(scheme, self.rule.first_planes(scheme, bits), bits)

    @property
    def kept_share(self) -> float:
        """Share of the partial products that are converted."""
        return self.partial_products / (self.input_bits * self.conversions_per_weight)

    @property
    def drops_whole_reads(self) -> bool:
        """Whether all converters come to columns of one significance at a time, so that a dropped product is a read
        less: the columns of a converter hold whole weights. True where nothing is dropped."""
        return (
            not self.rule.drop_below
            or (self.columns_per_adc // self.columns_per_conversion) % self.conversions_per_weight == 0
        )

    @property
    def bit_columns_per_weight(self) -> int:
        """Columns that hold a weight; of one-bit cells 2 (bits - 1) with the differential mapping, bits with most."""
        return self.scheme.columns

    @property
    def bits_per_weight(self) -> float:
        """Bits that a weight is counted with: log2 of its values where these are fewer than `weight_bits` bits tell
        apart (five trits: 7.92; ternary weights: 1.58). A symmetric range, one value short of its word, counts whole.
        """
        values = self.scheme.high - self.scheme.low + 1
        whole = values >= 2**self.weight_bits - 1 and values > TERNARY_VALUES
        return float(self.weight_bits) if whole else math.log2(values)

    @property
    def adds_for_radix(self) -> bool:
        """Whether counts of a weight's columns are recombined by a radix that is no power of two, which takes an adder
        where a shift would do."""
        radix = self.scheme.encoding.radix
        return max(self.scheme.significance) > 0 and radix & (radix - 1) != 0

    @property
    def weights_per_row(self) -> int:
        """Whole weights that a row of one tile holds over all planes."""
        return self.columns * self.planes // self.bit_columns_per_weight

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one full matrix-vector product on one tile."""
        return self.rows * self.weights_per_row

    @property
    def adcs(self) -> int:
        """Converters of one tile."""
        return -(-self.planes // self.planes_per_adc) * -(-self.columns // self.columns_per_adc)

    @property
    def accumulator_bits(self) -> int:
        """Width of the digital shift-add behind one converter."""
        return self.adc_bits + self.input_bits + self.weight_bits - 1 + math.ceil(math.log2(self.groups))
