"""Two prints of a network that do not hang on how it was written: what it computes, and what it answers.

**Graph.** One batch is run while every operation of torch is recorded (`TorchDispatchMode`: below all modules and
functions). What reaches the answer becomes one canonical text: operations with their constants and the shapes of what they make,
parameters by shape alone, numbered in the order in which the answer asks for them, sums and products without an order
of their terms. So names of modules and parameters, the order of branches, spelling of arguments, wrappers, dead layers and
copies of values have no say; a width, a kernel, a stride or an activation has.

**Answer.** Every parameter gets numbers that depend on its shape alone, and the network, in double precision, answers two fixed
images. Networks that compute the same by other operations (a mean for a pooling) answer the same but for rounding.

It runs the submission's code, and so only ever in a process or container of its own: ``python structure.py FOLDER``, see `main`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from benchmark.errors import InputError
from benchmark.files import canonical
from benchmark.training.model import build

BATCH = 2
SENSITIVE = 1e-3
"""By how much, relative to the largest, the answers to two images must differ to say anything."""

ROW = 65_521
"""A prime, so that the rows of a matrix differ."""

_COPIES = frozenset({"detach", "alias", "clone", "contiguous", "lift_fresh", "_to_copy"})
_SHAPES = frozenset({"view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "_reshape_alias"})
_UNORDERED = frozenset({"add", "mul"})


class Prints(NamedTuple):
    """What a network is known by.

    Attributes:
        graph: hash of what it computes in evaluation mode.
        training: hash of what it computes in training mode, dropout included.
        answer: logits for two fixed images, 2 × classes numbers in a row; None where there are none in double
            precision, or the images make no difference.
        parameters: how many numbers the answer rests on, a shared one counted once.
    """

    graph: str
    training: str
    answer: tuple[float, ...] | None
    parameters: int


class Graph(NamedTuple):
    """What a network computes, as 64 hex digits, and how many parameters' numbers it reads."""

    digest: str
    parameters: int


class _Node:
    """An operation, parameter or constant: its own text, what it reads, and a hash of both.

    Args:
        text: what it is.
        children: what it reads.
        unordered: whether their order does not matter.
        numbers: how many parameters' numbers it is.
        before: where it only tells another shape of the same numbers: the node that has them, and their shape.
    """

    def __init__(
        self, text: str, children: list[_Node], *, unordered: bool = False, numbers: int = 0,
        before: tuple[_Node, torch.Size] | None = None,
    ) -> None:  # fmt: skip
        self.text, self.numbers, self.before = text, numbers, before
        self.children = sorted(children, key=lambda child: child.mark) if unordered else children
        whole = "\0".join([text, *(child.mark for child in self.children)])
        self.mark: str = hashlib.sha256(whole.encode()).hexdigest()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch says no types for it
    """Notes of every tensor what made it, and of every memory what was written into it later."""

    def __init__(self, network: nn.Module, images: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.notes: dict[int, tuple[torch.Tensor, _Node, int]] = {}
        self.writes: dict[int, list[tuple[int, _Node]]] = {}
        self.time = 0
        self._note(images, _Node(f"images {list(images.shape)}", []))
        for parameter in network.parameters():
            text = f"parameter {list(parameter.shape)} {parameter.requires_grad}"
            self._note(parameter, _Node(text, [], numbers=parameter.numel()))
        for buffer in network.buffers():
            self._note(buffer, _constant(buffer))

    def _note(self, tensor: torch.Tensor, node: _Node) -> None:
        self.time += 1
        self.notes[id(tensor)] = (tensor, node, self.time)

    def node(self, tensor: torch.Tensor) -> _Node:
        """What a tensor holds now."""
        if id(tensor) not in self.notes:
            self._note(tensor, _constant(tensor))
        _, node, noted = self.notes[id(tensor)]
        later = [write for when, write in self.writes.get(_memory(tensor), ()) if when > noted]
        return _Node(f"written {len(later)}", [node, *later]) if later else node

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note what came of it."""
        kwargs, name = kwargs or {}, function.overloadpacket.__name__
        read = [self.node(one) for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        constants = tree_map(_plain, (args, dict(sorted(kwargs.items()))))
        written = _written(function, args, kwargs)
        result = function(*args, **kwargs)
        for place, tensor in enumerate(one for one in tree_leaves(result) if isinstance(one, torch.Tensor)):
            self._note(tensor, self._made(name, place, tensor, read, constants, args))
        for tensor in written:
            self.time += 1
            node = _Node(f"write {name} {canonical(constants)}", read)
            self.writes.setdefault(_memory(tensor), []).append((self.time, node))
            if id(tensor) in self.notes and any(tensor is one for one in tree_leaves(result)):
                self._note(tensor, self.notes[id(tensor)][1])
        return result

    def _made(self, name: str, place: int, tensor: torch.Tensor, read: list[_Node], constants: Any, args: Any) -> _Node:
        source = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if source is not None and source.dtype == tensor.dtype:
            if name in _COPIES:
                return read[0]
            if name in _SHAPES:
                inner, shape = read[0].before or (read[0], source.shape)
                same = shape == tensor.shape
                return inner if same else _Node(f"shape {list(tensor.shape)}", [inner], before=(inner, shape))
        plain = name if name.startswith("__") else name.rstrip("_")
        text = f"{plain} {place} {list(tensor.shape)} {tensor.dtype} {canonical(constants)}"
        return _Node(text, read, unordered=plain in _UNORDERED and len(read) == 2 and not constants[1])


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return "#"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)


def _written(function: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """Tensors that an operation writes into."""
    found = []
    for place, argument in enumerate(function._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            found += [one for one in tree_leaves(value) if isinstance(one, torch.Tensor)]
    return found


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _constant(tensor: torch.Tensor) -> _Node:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return _Node(f"constant {list(tensor.shape)} {tensor.dtype} {hashlib.sha256(content).hexdigest()}", [])


def _hashed(answer: _Node) -> Graph:
    """A canonical text of all that an answer rests on; a node is told once, so that what is shared stays shared."""
    numbers: dict[int, int] = {id(answer): 0}
    order, waiting = [answer], [answer]
    while waiting:
        for child in reversed(waiting.pop().children):
            if id(child) not in numbers:
                numbers[id(child)] = len(order)
                order.append(child)
                waiting.append(child)
    lines = (f"{node.text} {[numbers[id(child)] for child in node.children]}\n" for node in order)
    return Graph(hashlib.sha256("".join(lines).encode()).hexdigest(), sum(node.numbers for node in order))


def graph(network: nn.Module, images: torch.Tensor, *, training: bool = False) -> Graph:
    """What a network computes of some images: the same for the same computation, whatever its parts are called.

    Args:
        network: any; its buffers may change when it is in training mode.
        images: (batch, channels, side, side).
        training: in which mode.

    Raises:
        InputError: when the network fails, or does not answer with a tensor.
    """
    network.train(training)
    recorder = _Recorder(network, images)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), recorder:
            answer = network(images)
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise InputError(f"fails while its graph is recorded: {type(error).__name__}: {text}", field="model") from error
    if isinstance(answer, torch.Tensor):
        return _hashed(recorder.node(answer))
    raise InputError("must answer with one tensor", field="model", found=type(answer).__name__)


def answer(network: nn.Module, images: torch.Tensor) -> tuple[float, ...] | None:
    """Logits in double precision, with parameters that depend on their shape alone; changes the network.

    Args:
        network: any.
        images: two of them, (2, channels, side, side).

    Returns:
        All logits; None where the network has no double precision, the logits are not finite, or both images get
        the same ones (a network that died of these parameters says nothing).
    """
    network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(_filling(parameter.shape))
        try:
            logits = network(images.double())
        except Exception:
            return None
    if not isinstance(logits, torch.Tensor) or logits.dtype != torch.float64 or not bool(torch.isfinite(logits).all()):
        return None
    first, second = logits.reshape(BATCH, -1)
    if float((first - second).abs().max()) <= SENSITIVE * float(logits.abs().max()):
        return None
    return tuple(logits.reshape(-1).tolist())


def _filling(shape: torch.Size) -> torch.Tensor:
    """A row of random numbers that depend on a shape alone, repeated to its length."""
    seed = int.from_bytes(hashlib.sha256(str(list(shape)).encode()).digest()[:6], "big")
    count = math.prod(shape)
    row = torch.randn(min(count, ROW), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if len(shape) < 2:
        row = 1 + row.tanh() / 2
    else:
        row *= math.sqrt(2 / max(1, math.prod(shape[1:])))
    return row.repeat(-(-count // ROW))[:count].reshape(shape)


def prints(model: dict[str, Any], folder: Path | None, image_size: int) -> Prints:
    """Build a network and take its prints.

    Args:
        model: the `model` part of `submission.yaml`.
        folder: of its code.
        image_size: side of the images, in pixels.

    Raises:
        InputError: when it cannot be built or run.
    """
    torch.manual_seed(0)
    network = build(model, folder, img_size=image_size)
    images = torch.randn(BATCH, 3, image_size, image_size, generator=torch.Generator().manual_seed(1))
    inference = graph(network, images)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    training = graph(network, images, training=True)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    return Prints(inference.digest, training.digest, answer(network, images), inference.parameters)


def main(folder: Path) -> dict[str, Any]:
    """The prints of several networks by name, or `{"error": why there are none}`.

    Args:
        folder: holds `ask.json`, `{"image_size": side, "models": {name: model}}`, and the code of each in `code/<name>`.
    """
    ask = json.loads((folder / "ask.json").read_text(encoding="utf-8"))
    told: dict[str, Any] = {}
    for name, model in ask["models"].items():
        try:
            told[name] = prints(model, folder / "code" / name, int(ask["image_size"]))._asdict()
        except (InputError, MemoryError) as error:
            told[name] = {"error": str(error) or "out of memory"}
    return told


if __name__ == "__main__":
    from benchmark.start_worker import die_with_parent

    die_with_parent()
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    said.write("\n" + json.dumps(main(Path(sys.argv[1]))) + "\n")
