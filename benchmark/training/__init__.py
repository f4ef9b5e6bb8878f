"""What a unit executes: building models, loading weights, augmenting, training, predicting.

The only package that may import torch and timm. Sees images and labels of train and validation,
never a label of the test fold; may import `benchmark` core modules, not engines, scoring or boards.
"""
