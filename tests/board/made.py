"""Made-up boards of any size, for tests of pages, charts and files: every verdict, badge and gap occurs."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from benchmark.board import detail_model as d
from benchmark.board import model as m
from benchmark.board.pages import frame, index
from benchmark.board.pictures import bundle
from benchmark.data.manifest import CLASSES
from benchmark.protocol import PROTOCOLS

TARGETS = {"bioimlab-q": "Q", "cir-g": "G"}
FAMILIES = ("cnn-classic", "cnn-modern", "cnn-mobile", "transformer", "other")
SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"
"""Title of the second submission of every made-up board."""

RECIPE: dict[str, Any] = {
    "title": "Pocket track", "folds": [0, 1, 2, 3, 4], "repeats": 2, "preprocess": {"size": 64},
    "recipe": {"epochs": 10, "lr": 0.002, "batch_size": 64, "augment": {"rotate": 10.0}},
}  # fmt: skip


def _day(number: int) -> str:
    return f"2026-{number // 28 % 12 + 1:02d}-{number % 28 + 1:02d}T12:00:00+00:00"


def _gain(chance: random.Random, value: float, number: int, over: str = "imagenet") -> m.Gain:
    """A gain; where a control says whether it is transfer, with that over the control."""
    verdict = ("better", "undecided", "worse", "equivalent", "withheld")[number % 5]
    value = {"better": abs(value) + 0.01, "worse": -abs(value) - 0.01, "equivalent": value / 20}.get(verdict, value)
    half, held = 0.004 + 0.01 * chance.random(), verdict == "withheld"
    transfer: Any = ("yes", "no", "not tested")[number % 3] if verdict == "better" and over == "imagenet" else ""
    longer = None
    if transfer in ("yes", "no"):
        longer = _gain(random.Random(number), value / 2, 0 if transfer == "yes" else 1, "imagenet-long")
    return m.Gain(
        over=over, value=value, low=None if number % 11 == 4 else value - half, high=None if number % 11 == 4 else value + half,
        interval="none" if number % 11 == 4 else "groups" if held else "trainings and groups", verdict=verdict,
        exploratory=False, p=None if held else min(1.0, 0.001 + chance.random() ** 4), family=40,
        smallest=None if held else 1.4 * half, smallest_margin=None if held else 0.9 * half, repeats_for_point=None if held else chance.randrange(0, 9),
        needs="6 trainings or more (found 1; 2 repeats give them)" if held else "",
        transfer=transfer, over_long=longer, trainings=1 if held else 10,
        groups=16, sentence=f"A sentence a biologist understands, number {number}: {100 * value:+.1f} points.",
    )  # fmt: skip


def row(number: int, target: str, ranked: int, track: str = "pocket", simulated: bool = False) -> m.Row:
    """One row; the same arguments give the same row."""
    chance = random.Random(f"{number} {target} {track}")
    base = 0.97 - 0.35 * (number % 1000) / 1000 - 0.02 * chance.random()
    results = {}
    for name, shift in (("scratch", -0.05), ("imagenet", 0.0), ("two-step", 0.01), ("imagenet-long", 0.003)):
        if (name == "imagenet-long" and number % 3) or (name == "scratch" and number % 7 == 5):
            continue
        failed = name == "scratch" and number % 13 == 3
        value = base + shift + 0.01 * chance.random()
        f1 = tuple(
            None if number % 17 == 2 and k == 23 else min(1.0, max(0.0, value + 0.1 * (chance.random() - 0.5)))
            for k in range(24)
        )
        results[name] = m.Result(
            macro_f1=None if failed else m.Estimate(value=value, low=value - 0.012, high=value + 0.012),
            trainings=0 if failed else 10, failed=("nan", "time-out") if failed else (),
            gain=None if failed or name == "imagenet" else _gain(chance, (value - base) / 2, number + (target == "cir-g")),
            f1=(None,) * 24 if failed else f1, accuracy=None if failed else value, seconds=40 * 2 ** chance.randrange(6) * (2 if name == "two-step" else 1),
            energy_joules=None if number % 2 else 1234.5,
        )  # fmt: skip
    badges: list[m.Badge] = ["simulated"] if simulated else []
    badges += (["sealed"], ["self-run"], ["self-run", "unpinned"], ["sealed", "flagged"])[number % 4]
    badges += ([], ["bitwise"], ["statistical"], ["not reproduced"])[number // 2 % 4]
    return m.Row(
        track=track, submission=f"net-{number:05d}" if number else "tf-efficientnet-lite0",
        title=SCRIPT if number == 1 else f"Net {number} with a name – café" if number else "EfficientNet-Lite0",
        family=FAMILIES[number % 5], target=target, stain="Q" if target.endswith("q") else "G", results=results,
        rank=m.Rank(rank=1 + number // 3, low=1 + number // 3, high=min(ranked, 3 + number), of=ranked) if number % 10 != 9 else None,
        parameters=None if number % 6 == 5 else 10 ** 6 * (1 + number % 90), devices=("AMD EPYC",), badges=tuple(badges),
        reproduced={"bitwise": 1} if "bitwise" in badges else {}, records=40, entered=_day(number // 50), updated=_day(number // 40),
    )  # fmt: skip


def dataset(name: str) -> m.Dataset:
    """What a method page says of a data set."""
    return m.Dataset(
        name=name, title=f"Data set {name}", stain="Q" if name.endswith("q") else "G", simulated=name.startswith("sim"), images=2806,
        cells=65, groups=16, group_by="case", fold_groups=(3, 3, 3, 3, 4), fold_images=(524, 560, 561, 580, 581),
        description="Crops of single chromosomes.", citation=("A. Author. A paper. 2020.",), terms="Research only.",
        homepage="https://example.org/data", manifest="0" * 64,
    )  # fmt: skip


def board(number: int = 12, simulated: bool = True) -> m.Board:
    """A board of some submissions on two targets, and of two of them on a simulated track."""
    tracks = {"pocket": tuple(TARGETS), **({"smoke": ("sim-q", "sim-g")} if simulated else {})}
    rows = [row(i, target, number) for i in range(number) for target in TARGETS]
    rows += [row(i, target, 2, "smoke", True) for i in range(2) for target in tracks.get("smoke", ())]
    infos = tuple(
        m.TrackInfo(
            label=label, name=label, digest="d" * 64, title=f"{label.title()} track", description="A frozen recipe.",
            simulated=label == "smoke", targets=targets, protocols=("scratch", "imagenet", "two-step", "imagenet-long"),
            image_size=64, epochs=10, folds=5, repeats=2, datasets=tuple(map(dataset, targets)), document=RECIPE,
            yaml=yaml.safe_dump(RECIPE),
        )
        for label, targets in tracks.items()
    )  # fmt: skip
    return m.Board(
        source=m.Source(records=40 * number, reproductions=3, head="a" * 64, newest=_day(200), harness="0.1.0"),
        classes=CLASSES, protocols={p.name: p.meaning for p in PROTOCOLS.values()},
        controls=tuple(p.name for p in PROTOCOLS.values() if p.control), tracks=infos, rows=tuple(rows),
        general=(m.Answer(track="pocket", question="Does two-step help on bioimlab-q?", value=0.012, low=0.004, high=0.02, p=0.004,
                          submissions=number, new_submissions=True, family="cnn-mobile"),),
        changes=changes(number), self_run=tuple(map(self_run, range(4))) if simulated else (),
    )  # fmt: skip


def self_run(number: int) -> m.SelfRun:
    """A score from elsewhere; the third was replaced, the fourth withdrawn."""
    return m.SelfRun(
        id=f"{number}" * 64, name=f"outside-{number}", track="pocket", dataset="bioimlab-q", stain="Q", simulated=False, manifest="0" * 64,
        folds=(0, 1, 2, 3, 4) if number else (2,), images=5474, groups=118, form="logits", accuracy=0.94, top2=0.97, ece=0.02,
        macro_f1=m.Estimate(value=0.94 - 0.01 * number, low=None if number else 0.93, high=None if number else 0.95),
        classes=tuple(m.ClassScore(name=c, images=0 if c == "Y" else 238, f1=None if c == "Y" else 0.9, low=None if c == "Y" else 0.88, high=None if c == "Y" else 0.92) for c in CLASSES),
        confusions=(m.Confusion(true="19", said="22", count=13),), who=SCRIPT if number == 1 else "Somebody", how=SCRIPT if number == 1 else "A network " + "x" * 300,
        training_data="Ours.", split="By person.", link="https://example.org/x" if number else "javascript:alert(1)", harness="0.1.0", ended=_day(150 + number),
        replaced=number == 2, withdrawn=_day(170) if number == 3 else None, reason="a leak" if number == 3 else None,
    )  # fmt: skip


def write_first_page(folder: Path, board: m.Board) -> None:
    """The first page of a board, its data and the files that pages share, alone."""
    for path, content in (*frame.assets(), *index.files(board)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def blank(whole: m.Board) -> Iterator[tuple[str, bytes]]:
    """The pictures of a board by their names, blank."""
    file = io.BytesIO()
    Image.new("1", (600, 300), 1).save(file, "PNG")
    for path, _ in bundle.drawings(whole):
        yield f"{path}.png", file.getvalue()
        yield f"{path}.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


def changes(number: int) -> tuple[m.Change, ...]:
    """Entries of every kind, newest first."""
    kinds: tuple[m.ChangeKind, ...] = (
        "entered",
        "extended",
        "replaced",
        "corrected",
        "reproduced",
        "withdrawn",
        "self-run",
    )
    found = [
        m.Change(date=_day(i // 50), kind=kinds[i % 7], submission=f"net-{i:05d}" if i % 7 < 6 else "outside-1", elsewhere=i % 7 == 6, track="pocket", text=f"What happened to {SCRIPT if i == 1 else i}.")
        for i in range(min(number, 200))
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.date, reverse=True))


def detail(whole: m.Board, name: str, withdrawn: bool = False) -> d.Detail:
    """The page of one submission of a made-up board."""
    rows = [one for one in whole.rows if one.submission == name]
    random_ = np.random.default_rng([*name.encode()])
    tracks = []
    for label in dict.fromkeys(one.track for one in rows):
        targets = []
        for one in (r for r in rows if r.track == label):
            arms = [arm for arm, result in one.results.items() if result.macro_f1]
            matrix = np.diag(random_.integers(20, 40, 24)) + random_.integers(0, 2, (24, 24))
            targets.append(
                d.TargetDetail(
                    row=one, confusion={arm: tuple(map(tuple, matrix.tolist())) for arm in arms},
                    by_class=tuple(
                        d.ClassLine(name=c, f1={arm: one.results[arm].f1[k] for arm in arms}, gain=0.01 * (k % 5 - 2),
                                    low=0.01 * (k % 5 - 3), high=0.01 * (k % 5 - 1), p=0.01 + 0.04 * k)
                        for k, c in enumerate(CLASSES)
                    ),
                    worst=tuple(
                        d.CellLine(group=f"{k:03d}", images=46, accuracy=dict.fromkeys(arms, 0.6 + 0.02 * k), confusions=("8→X ×3", "21→22 ×2"))
                        for k in range(12)
                    ),
                    curves=tuple(
                        d.Curve(target=one.target, protocol=arm, fold=fold, repeat=0, macro_f1=tuple(0.9 - 0.8 / (e + 1) for e in range(10)),
                                loss=tuple(4 / (e + 1) for e in range(10)))
                        for arm in arms for fold in range(5)
                    ),
                    records=tuple(record(one, arm, fold) for arm in arms for fold in range(5)),
                )
            )  # fmt: skip
        tracks.append(d.TrackDetail(track=label, targets=tuple(targets)))
    spec = {"name": name, "title": rows[0].title, "model": {"timm": "resnet18"}}
    whole_ = d.Detail(
        submission=name, title=rows[0].title, family=rows[0].family, paper="https://arxiv.org/abs/1905.11946", license="Apache-2.0",
        note=f"A note with {SCRIPT}", parameters=rows[0].parameters, spec=spec, yaml=yaml.safe_dump(spec),
        versions=(d.Version(name="0a1b2c3d", model="b" * 64, code=None, weights=("c" * 64,), document="d" * 64, first=_day(1), last=_day(9), records=40, current=True),
                  d.Version(name="1b2c3d4e", model="e" * 64, code="f" * 64, weights=(), document="d" * 64, first=_day(0), last=_day(1), records=4, current=False)),
        withdrawal=d.Withdrawal(date=_day(20), reason=f"Wrong weights {SCRIPT}") if withdrawn else None,
        tracks=tuple(tracks), changes=tuple(c for c in whole.changes if c.submission == name),
    )  # fmt: skip
    older = {"version": "1b2c3d4e", "replaced": _day(1), "versions": (), "changes": ()}
    return whole_.model_copy(update={"earlier": (whole_.model_copy(update=older),)})


def record(one: m.Row, arm: str, fold: int) -> d.RecordLine:
    """One line of the table of records."""
    return d.RecordLine(
        key=(arm + str(fold)).encode().hex().rjust(32, "0")[-32:], hash="9" * 64, target=one.target, protocol=arm, chain=("ImageNet", one.target),
        fold=fold, repeat=0, status="failed" if fold == 4 and arm == "scratch" else "scored",
        macro_f1=None if fold == 4 and arm == "scratch" else 0.9, failure="nan" if fold == 4 and arm == "scratch" else None,
        seconds=111.5, peak_bytes=1_474_912_256, energy_joules=None, device="AMD EPYC", sandbox="docker", image="sha256:" + "1" * 64,
        harness="0.1.0 490fd49cccd40fdf", packages={"torch": "2.14.1", "timm": "1.0.31"}, ended=_day(9),
        reproduced="bitwise" if fold == 0 else None, curve="as expected" if fold else "",
    )  # fmt: skip


def tallies(name: str, skill: float, repeats: int = 2, folds: tuple[int, ...] = (3, 3, 3, 3, 4)) -> d.Tallies:
    """Counts of a classifier that is right so often; different names err on different images."""
    groups, counts = sum(folds), []
    chance = np.random.default_rng([*name.encode()])
    for target in TARGETS:
        true = np.random.default_rng([*target.encode()]).integers(1, 3, (groups, 24))
        for arm, more in (("imagenet", 0.0), ("two-step", 0.02)):
            hits = chance.binomial(true, min(1.0, skill + more), (repeats, groups, 24))
            claimed = hits.copy()
            for r in range(repeats):
                for g in range(groups):
                    for k in range(24):
                        for _ in range(int(true[g, k] - hits[r, g, k])):
                            claimed[r, g, chance.integers(0, 24)] += 1
            counts.append(
                d.Counts(target=target, protocol=arm, folds=folds, repeats=tuple(range(repeats)), groups=groups,
                         hits=tuple(hits.ravel().tolist()), claimed=tuple(claimed.ravel().tolist()), true=tuple(true.ravel().tolist()))
            )  # fmt: skip
    return d.Tallies(submission=name, track="pocket", manifests=dict.fromkeys(TARGETS, "0" * 64), counts=tuple(counts))
