"""KaryoBench for a notebook: what `from benchmark import ...` gives.

A module a noun; each is a thin, typed way into the functions that the commands use, so that a figure is
the same whichever way it is asked for. Nothing in the package may import from here.
"""
