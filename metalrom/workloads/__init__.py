"""Networks whose weights a macro stores: inventories, layers, tasks."""
