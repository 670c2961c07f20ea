"""The count of one group of ternary cells in gates instead of a conversion: Verilog, equivalence, area and energy."""
