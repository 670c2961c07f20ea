"""The cell kinds side by side: the same stack, devices, rows, layer and converter, one page."""
