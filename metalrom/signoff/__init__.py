"""Sign-off of a layout by tools of others: rules, connectivity against a schematic, extraction and simulation of it."""
