"""Datasets: cards, manifests, fetching, importing, simulation, preprocessing, folds, audit, pictures.

May import numpy, scipy, scikit-learn and Pillow; never torch. Labels of every part live here;
what training gets of them is decided in `benchmark.sandbox`.
"""
