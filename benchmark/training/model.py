"""From a submission's description to a network that is known to answer in the agreed shape.

A submission's own code is compiled from the `.py` files that its hash covers, under a module name
of its own; compiled caches in its folder are never read, so that what is hashed is what runs.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.abc import SourceLoader
from importlib.machinery import FileFinder, ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import timm
import torch
from torch import nn

from benchmark.errors import InputError
from benchmark.files import validate
from benchmark.submission import ModelSpec

CLASSES = 24


def build(
    model: ModelSpec | Mapping[str, Any],
    folder: Path | None = None,
    *,
    num_classes: int = CLASSES,
    in_chans: int = 3,
    img_size: int,
) -> nn.Module:
    """Build a network with random weights, drawn from torch's global generator.

    Args:
        model: the `model` part of `submission.yaml`, as read or as plain data.
        folder: the submission's folder; needed for a factory only.
        num_classes: length of its output.
        in_chans: channels of its input.
        img_size: side of the square images, in pixels.

    Returns:
        The network, which answered a batch of zeros with finite numbers of shape (2, num_classes).

    Raises:
        InputError: when it cannot be built or answers anything else. Running out of memory is passed
            on as it is, since that is a result and not a mistake in a file.
    """
    spec = model if isinstance(model, ModelSpec) else validate(dict(model), ModelSpec, "model")
    refusal = spec.image_size.refusal(img_size)
    if refusal:
        raise InputError(refusal, field="model.image_size", found=img_size)
    kwargs: dict[str, Any] = {**copy.deepcopy(spec.kwargs), "num_classes": num_classes, "in_chans": in_chans}
    if spec.factory is not None or spec.img_size_argument:
        kwargs["img_size"] = img_size
    if spec.timm is not None:
        network = _from_timm(spec.timm, kwargs)
    else:
        network = _from_factory(str(spec.factory), folder, kwargs)
    probe(network, spec.timm or str(spec.factory), num_classes=num_classes, in_chans=in_chans, img_size=img_size)
    return network


def probe(network: nn.Module, name: str, *, num_classes: int, in_chans: int, img_size: int) -> None:
    """Ask a network for its answer to two black images, leaving it and all random generators as they were.

    Raises:
        InputError: for an exception, or an answer of the wrong kind, shape or type, or not finite.
    """
    state = next(iter(network.parameters()), None)
    if state is None:
        raise InputError("the model has no parameters to train", field="model", found=name)
    modes = [(module, module.training) for module in network.modules()]
    images = torch.zeros(2, in_chans, img_size, img_size, device=state.device)
    problem = f"the model {name} fails on {img_size} x {img_size} images"
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            answer = guarded(problem, lambda: network.eval()(images))
    finally:
        for module, mode in modes:
            module.training = mode
    check_answer(answer, name, (2, num_classes))


def guarded(problem: str, action: Callable[[], Any]) -> Any:
    """Do it, and name what the model's code raised; running out of memory passes through."""
    try:
        return action()
    except (MemoryError, torch.OutOfMemoryError, InputError):
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())[:400]
        raise InputError(f"{problem}: {type(error).__name__}: {text}", field="model") from error


def check_answer(answer: object, name: str, shape: tuple[int, int]) -> None:
    """Refuse an answer of the wrong kind, shape or type, or that is not finite.

    Raises:
        InputError: for any of these.
    """
    if not isinstance(answer, torch.Tensor):
        problem = f"the model {name} must answer with one tensor"
        raise InputError(problem, field="model", found=type(answer).__name__, allowed="a tensor (batch, classes)")
    if tuple(answer.shape) != shape:
        problem = f"the model {name} answers in the wrong shape"
        raise InputError(problem, field="model", found=tuple(answer.shape), allowed=str(shape))
    if answer.dtype != torch.float32:
        problem = f"the model {name} answers in the wrong type"
        raise InputError(problem, field="model", found=str(answer.dtype), allowed="torch.float32")
    if not answer.is_meta and not bool(torch.isfinite(answer).all()):
        raise InputError(f"the model {name} answers with numbers that are not finite", field="model")


class TimmFacts(NamedTuple):
    """What a submission must say of a timm architecture.

    Attributes:
        fixed_size: whether it is built for one image size, which must be passed.
        patch: side of its patches in pixels; 1 where it has none.
    """

    fixed_size: bool
    patch: int


def describe_timm(name: str) -> TimmFacts:
    """Look at a timm architecture without giving it memory.

    Raises:
        InputError: when timm does not know it.
    """
    with torch.device("meta"):
        network = _from_timm(name, {})
    config = getattr(network, "pretrained_cfg", {})
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", 1)
    return TimmFacts(bool(config.get("fixed_input_size", False)), patch[0] if isinstance(patch, tuple) else int(patch))


def _from_timm(name: str, kwargs: dict[str, Any]) -> nn.Module:
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5)
        allowed = f"an architecture of timm {timm.__version__}" + (f", such as {', '.join(near)}" if near else "")
        raise InputError("timm knows no such architecture", field="model.timm", found=name, allowed=allowed)
    network = guarded(f"timm cannot build {name}", lambda: timm.create_model(name, pretrained=False, **kwargs))
    return _module(network, name)


def _from_factory(factory: str, folder: Path | None, kwargs: dict[str, Any]) -> nn.Module:
    file, _, function = factory.partition(":")
    if folder is None or not (folder / file).is_file():
        raise InputError("no such file", file=folder, field="model.factory", found=file)
    module = guarded(f"{file} cannot be imported", lambda: _import(folder, file.removesuffix(".py")))
    make = getattr(module, function, None)
    if not callable(make):
        known = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        allowed = known or "(none)"
        raise InputError("no such function", file=folder / file, field="model.factory", found=function, allowed=allowed)
    return _module(guarded(f"{factory} fails", lambda: make(**kwargs)), factory)


def _module(network: object, name: str) -> nn.Module:
    if not isinstance(network, nn.Module):
        raise InputError(f"{name} must return a torch.nn.Module", field="model", found=type(network).__name__)
    return network


class _Source(SourceLoader):
    """Compiles a module from its source alone: without `path_stats` Python uses no cached bytecode."""

    def __init__(self, fullname: str, path: str) -> None:
        self.fullname, self.path = fullname, path

    def get_filename(self, fullname: str) -> str:
        """Path of the source."""
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        """Bytes of the source."""
        return Path(str(path)).read_bytes()


def _import(folder: Path, stem: str) -> ModuleType:
    """Import one file of a folder afresh, as a package of its own: siblings come by `from . import x`."""
    place = str(folder.resolve())
    package = "_karyobench_submission_" + hashlib.sha256(place.encode()).hexdigest()[:16]
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    spec = ModuleSpec(package, None, is_package=True)
    spec.submodule_search_locations = [place]
    sys.path_importer_cache[place] = FileFinder(place, (_Source, [".py"]))
    sys.modules[package] = module_from_spec(spec)
    return importlib.import_module(f"{package}.{stem}")
