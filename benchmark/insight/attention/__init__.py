"""Where a trained network looks: maps of the Grad-CAM family, their numbers along the chromosome, and their checks.

May import `benchmark.insight`, `stats`, `training`; torch and captum inside functions or in `layers` and `maps` alone.
Nothing here writes an image into a report's JSON.
"""
