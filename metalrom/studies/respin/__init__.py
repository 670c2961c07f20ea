"""What a new model changes: masks and vias between two layouts, their cost and time, yield, and when it pays."""
