"""Pictures of what the tools found, as SVG or PNG, by matplotlib (the extra `plots`).

Belongs here: from plain values to a figure, one message each. Nothing here asks, judges or reads a clock, and the
operator does without it.
"""
