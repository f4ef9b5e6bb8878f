"""Pure statistics on arrays: no torch, no files, no other part of this package.

Metrics are in `metrics`, resampling in `bootstrap`. May import numpy and scipy only.
"""
