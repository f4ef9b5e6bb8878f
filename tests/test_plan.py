from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark import protocol as protocols
from benchmark import resources
from benchmark import track as tracks
from benchmark.data import card as cards
from benchmark.data import manifest as manifests
from benchmark.errors import InputError
from benchmark.ledger import Ledger
from benchmark.plan import Plan, Planner, Weights, seed_of, waiting
from benchmark.submission import Spec, Submission, load

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


def chains(target: str, names: Sequence[str], manifest: Any = None) -> Plan:
    """A plan of the smoke track; `my-g` is a dataset that it does not pair, as large as sim-g unless given."""
    smoke = tracks.load("smoke")
    known = {name: manifests.shipped(name, "case") for name in smoke.targets}
    planner = Planner(smoke, {**known, "my-g": manifest or other(known["sim-g"])}, lambda _: Weights("w" * 64), {})
    return planner.plan([submission()], names, [target])


def other(manifest: Any) -> Any:
    """The same images with other pixels."""
    return replace(manifest, entries=tuple(entry._replace(sha256=entry.sha256[::-1]) for entry in manifest.entries))


def test_a_chain_of_two_sources_has_three_stages_that_are_shared_with_what_ends_there() -> None:
    plan = chains("my-g", ["imagenet", "two-step[sim-q]", "two-step[sim-q+sim-g]", "two-step[sim-g+sim-q]"])
    last = plan.by_key[plan.classifiers["net", "two-step[sim-q+sim-g]", "my-g", 0, 0]]
    middle = plan.by_key[str(last.parent)]
    assert last.chain == ("ImageNet", "sim-q", "sim-g", "my-g") and last.arm == "two-step[sim-q+sim-g]"
    own = chains("sim-g", ["imagenet", "two-step"])
    assert middle.key == own.classifiers["net", "two-step", "sim-g", 0, 0] and middle.arm == "two-step"
    assert middle.parent == plan.by_key[plan.classifiers["net", "two-step[sim-q]", "my-g", 0, 0]].parent
    assert (len(plan.units), plan.unshared) == (8, 9), "imagenet on sim-q is trained once"
    assert last.seed == seed_of("smoke", "my-g", 0, 0) and middle.seed == seed_of("smoke", "sim-g", 0, 0)


def test_a_stage_that_the_track_does_not_pair_so_is_named_by_what_came_before() -> None:
    plan = chains("sim-g", ["two-step[my-g+sim-q]"])
    assert [unit.arm for unit in plan.units] == ["imagenet", "two-step[my-g]", "two-step[my-g+sim-q]"]


def test_the_tracks_own_source_named_is_the_tracks_own_protocol() -> None:
    plan = chains("sim-g", ["two-step", "two-step[sim-q]", "imagenet-long[sim-q]"])
    assert [name for _, name, *_ in plan.classifiers] == ["two-step", "imagenet-long"]


def test_controls_match_the_compute_of_the_whole_chain() -> None:
    names = [protocols.over(name, ("sim-q", "sim-g")) for name in ("two-step", "imagenet-long", "two-step-shuffled")]
    plan = chains("my-g", names)
    step, long, shuffled = (plan.by_key[plan.classifiers["net", name, "my-g", 0, 0]] for name in names)

    def cost(unit: Any) -> int:
        return unit.cost + (cost(plan.by_key[unit.parent]) if unit.parent else 0)

    assert abs(cost(long) - cost(step)) <= long.images / 2 and cost(shuffled) == cost(step)
    assert shuffled.chain == ("ImageNet", "sim-q (shuffled)", "sim-g (shuffled)", "my-g")
    before = plan.by_key[str(shuffled.parent)]
    assert before.arm == "source-shuffled" and before.shuffled and plan.by_key[str(before.parent)].shuffled


def test_a_track_may_pair_a_target_with_several_sources() -> None:
    smoke = tracks.load("smoke")
    pairs = (*smoke.pairs, tracks.Pair.model_validate({"target": "my-g", "source": ["sim-q", "sim-g"]}))
    known = {name: manifests.shipped(name, "case") for name in smoke.targets}
    planner = Planner(
        smoke.model_copy(update={"pairs": pairs}), {**known, "my-g": other(known["sim-g"])}, lambda _: Weights("w"), {}
    )
    plan = planner.plan([submission()], ["two-step"], ["my-g"])
    assert [(unit.arm, unit.dataset) for unit in plan.units] == [
        ("imagenet", "sim-q"), ("two-step", "sim-g"), ("two-step", "my-g"),
    ]  # fmt: skip


def test_keys_of_the_published_ledger_are_as_they_were() -> None:
    """Every unit that is published can still be found by its key: nothing that is trained is trained again."""
    ledger = Ledger(resources.shipped("leaderboard") / "ledger")
    records = [record for record in ledger.records() if record["track"]["name"] == "pocket"]
    known = {record["key"] for record in records}
    weights = {record["submission"]["name"]: record["weights"] for record in records if record["weights"]}
    published = [load(name) for name in weights]
    held = {record["dataset"]["name"]: record["dataset"] for record in records}
    found = {name: ledger.manifest(one["manifest"], one["group"]) for name, one in held.items()}
    over = sorted({record["arm"] for record in records if protocols.known(record["arm"])} - protocols.PROTOCOLS.keys())
    plan = Planner(POCKET, found | MANIFESTS, lambda one: Weights(weights[one.spec.name]), {}).plan(
        published, (*protocols.PROTOCOLS, *over)
    )
    assert len(known) > 20 and known <= plan.by_key.keys()
    for record in records:
        unit = plan.by_key[record["key"]]
        assert (unit.arm, list(unit.chain), unit.parent) == (record["arm"], record["chain"], record["parent"])
    assert POCKET.digest in {record["track"]["digest"] for record in records}


def test_keys_of_other_published_tracks_follow_from_the_tracks_of_the_findings() -> None:
    """On data sets that a workspace makes, whose manifests the ledger holds."""
    ledger = Ledger(resources.shipped("leaderboard") / "ledger")
    records = [record for record in ledger.records() if record["track"]["name"] != "pocket"]
    assert records
    for name in {record["track"]["name"] for record in records}:
        track = tracks.load(str(resources.shipped("leaderboard").parent / "docs" / "findings" / f"{name}.yaml"))
        own = [record for record in records if record["track"]["name"] == name]
        held = {one["dataset"]["name"]: one["dataset"] for one in own}
        found = {target: ledger.manifest(one["manifest"], one["group"]) for target, one in held.items()}
        for submission in {record["submission"]["name"] for record in own}:
            theirs = [record for record in own if record["submission"]["name"] == submission]
            weights = next((record["weights"] for record in theirs if record["weights"]), "")
            planner = Planner(track, found, lambda _, known=weights: Weights(known), {})
            arms, folds = sorted({record["arm"] for record in theirs}), sorted({record["fold"] for record in theirs})
            plan = planner.plan([load(submission)], arms, list(held), folds)
            assert {record["key"] for record in theirs} <= plan.by_key.keys()
        assert {record["track"]["digest"] for record in own} == {track.digest}


def test_a_protocol_without_a_source_may_have_any_target() -> None:
    plan = chains("my-g", ["scratch", "imagenet"])
    assert [(unit.arm, unit.dataset, unit.parent) for unit in plan.units] == [
        (arm, "my-g", None) for fold in tracks.load("smoke").folds for arm in ("scratch", "imagenet")
    ]
    with pytest.raises(InputError, match=r"not a target of this track; found 'my-g'.*--source"):
        chains("my-g", ["imagenet", "two-step"])
