from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark import protocol as protocols
from benchmark import track as tracks
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.errors import InputError
from benchmark.plan import Plan, Planner, Weights, seed_of, waiting
from benchmark.submission import Spec, Submission

POCKET = tracks.load("pocket")
MANIFESTS = {name: manifests.shipped(name, cards.load(name).group) for name in POCKET.targets}


def submission(name: str = "net", **model: Any) -> Submission:
    spec = {
        "name": name, "title": name, "paper": "https://example.org", "license": "MIT",
        "model": {"timm": "resnet18", **model}, "weights": {"hub": "timm/resnet18.a1_in1k"},
    }  # fmt: skip
    return Submission(Spec.model_validate(spec), Path(name), ())


def make(
    submissions: Sequence[Submission],
    names: Sequence[str] = protocols.MAIN,
    weights: Weights | None = None,
    **options: Any,
) -> Plan:
    planner = Planner(POCKET, MANIFESTS, lambda _: weights or Weights("w" * 64), {})
    return planner.plan(submissions, names, **{"folds": [0], "repeats": [0], **options})


def test_the_study_is_66_classifiers_from_66_trainings_not_88() -> None:
    plan = make([submission(f"net{n}") for n in range(11)])
    assert (len(plan.classifiers), len(plan.units), plan.unshared) == (66, 66, 88)


def test_the_first_stage_of_two_step_is_the_imagenet_unit_of_the_other_stain() -> None:
    plan = make([submission()])
    last = plan.by_key[plan.classifiers["net", "two-step", "bioimlab-q", 0, 0]]
    assert last.parent == plan.classifiers["net", "imagenet", "cir-g", 0, 0]
    assert last.chain == ("ImageNet", "cir-g", "bioimlab-q")


def test_controls_add_two_trainings_a_target_each() -> None:
    plan = make([submission()], tuple(protocols.PROTOCOLS))
    arms = [unit.arm for unit in plan.units]
    assert len(plan.units) == 6 + 2 * 3
    assert arms.count("imagenet-long") == arms.count("two-step-shuffled") == arms.count("source-shuffled") == 2


def test_imagenet_long_sees_as_many_images_as_both_stages() -> None:
    plan = make([submission()], ("two-step", "imagenet-long"))
    for target in POCKET.targets:
        long = plan.by_key[plan.classifiers["net", "imagenet-long", target, 0, 0]]
        last = plan.by_key[plan.classifiers["net", "two-step", target, 0, 0]]
        both = last.cost + plan.by_key[str(last.parent)].cost
        assert abs(long.cost - both) <= long.images / 2


def test_arms_are_paired_by_seed() -> None:
    plan = make([submission("a"), submission("b")], tuple(protocols.PROTOCOLS))
    for dataset in POCKET.targets:
        assert len({unit.seed for unit in plan.units if unit.dataset == dataset}) == 1
    assert len({unit.seed for unit in plan.units}) == 2


def test_seeds_differ_by_track_dataset_fold_and_repeat() -> None:
    seeds = {seed_of(t, d, f, r) for t in "ab" for d in "qg" for f in range(5) for r in range(4)}
    assert len(seeds) == 80 and all(0 <= seed < 2**31 for seed in seeds)


def test_every_parent_comes_before_its_child() -> None:
    plan = make([submission()], tuple(protocols.PROTOCOLS), folds=[0, 1, 2], repeats=[0, 1])
    seen: set[str] = set()
    for unit in plan.units:
        assert unit.parent is None or unit.parent in seen
        seen.add(unit.key)


CHANGES: dict[str, Any] = {
    "model": lambda: make([submission(kwargs={"drop_rate": 0.1})]),
    "name": lambda: make([submission("other")]),
    "weights": lambda: make([submission()], weights=Weights("v" * 64)),
    "fold": lambda: make([submission()], folds=[1]),
    "repeat": lambda: make([submission()], repeats=[1]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_decides_a_result_changes_its_key(what: str) -> None:
    before = {unit.key for unit in make([submission()]).units}
    after = {unit.key for unit in CHANGES[what]().units}
    if what == "weights":  # scratch does not depend on them
        assert len(before & after) == 2
    else:
        assert not before & after


def test_recipe_preprocessing_and_manifest_change_the_key() -> None:
    def key(track: tracks.Track, images: dict[str, Any]) -> str:
        plan = Planner(track, images, lambda _: Weights(None, "none"), {}).plan(
            [submission()], ("scratch",), ["cir-g"], [0], [0]
        )
        return plan.units[0].key

    found = {
        key(POCKET, MANIFESTS),
        key(POCKET.model_copy(update={"recipe": POCKET.recipe.model_copy(update={"lr": 0.01})}), MANIFESTS),
        key(
            POCKET.model_copy(update={"preprocess": POCKET.preprocess.model_copy(update={"exponent": 1.0})}), MANIFESTS
        ),
        key(POCKET, {**MANIFESTS, "cir-g": MANIFESTS["bioimlab-q"]}),
    }
    assert len(found) == 4


def test_without_weights_only_scratch_can_run_and_the_reason_is_said() -> None:
    plan = make([submission()], weights=Weights(None, "not on this machine"))
    free = [unit for unit in plan.units if not unit.blocked]
    assert {unit.arm for unit in free} == {"scratch"} and len(free) == 2
    assert plan.blocked() == {
        "not on this machine": [
            "net imagenet → bioimlab-q", "net imagenet → cir-g", "net two-step → bioimlab-q", "net two-step → cir-g",
        ]
    }  # fmt: skip


def test_an_image_size_that_the_model_cannot_take_blocks_everything_with_the_reason() -> None:
    plan = make([submission(image_size={"min": 75})])
    assert all("75" in str(unit.blocked) for unit in plan.units)


def test_a_dataset_that_is_not_there_blocks_what_needs_it() -> None:
    planner = Planner(POCKET, MANIFESTS, lambda _: Weights("w"), {"cir-g": "not imported"})
    plan = planner.plan([submission()], protocols.MAIN, ["bioimlab-q"], [0], [0])
    assert {unit.arm for unit in plan.units if not unit.blocked} == {"scratch", "imagenet"}
    assert waiting(plan.units, {}) == [unit for unit in plan.units if unit.dataset == "bioimlab-q" and not unit.parent]


@pytest.mark.parametrize(("options", "message"), [
    ({"folds": [5]}, "no such fold; found 5; allowed: 0 to 4"),
    ({"repeats": [-1]}, "no such repeat"),
    ({"targets": ["sim-q"]}, "not a target of this track"),
    ({"names": ["magic"]}, "no such protocol"),
])  # fmt: skip
def test_impossible_requests_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make([submission()], **options)


def test_ten_repeats_are_ten_times_the_study() -> None:
    plan = make([submission(f"net{n}") for n in range(11)], repeats=list(range(10)))
    assert len({unit.key for unit in plan.units}) == 660
