"""KaryoBench: does pre-training on a related stain help this architecture on these chromosomes?

The package is the harness; submissions and dataset cards are folders beside it. Nothing here may
import torch at import time except `benchmark.training`.
"""

__version__ = "0.1.0"
