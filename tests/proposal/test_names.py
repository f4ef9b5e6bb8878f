from itertools import permutations

import pytest

from benchmark import submission as submissions
from benchmark.proposal.names import likenesses, near, skeleton


@pytest.mark.parametrize(
    "name",
    ["ResNet50", "res-net-50", "resnet_50", "resnet5o", "resnetS0", "resnett50", "rеsnеt50", "réšnet50", "𝐫𝐞𝐬𝐧𝐞𝐭50",
     "resnet５０", "re\u200bsnet50"],
    ids=["case", "separators", "underscore", "letter-o", "letter-s", "doubled", "cyrillic", "accents", "mathematical",
         "fullwidth", "zero-width"],
)  # fmt: skip
def test_names_that_look_the_same_are_an_error(name: str) -> None:
    assert skeleton(name) == skeleton("resnet50")
    (found,) = likenesses(name, "Mine", {"resnet50": "ResNet-50"})
    assert (found.field, found.other, found.level) == ("name", "resnet50", "error")


@pytest.mark.parametrize(
    ("first", "second"), [("mobilenet", "rnobilenet"), ("swin-tiny", "svvin-tiny"), ("vit-l", "vit-1")]
)
def test_pairs_that_differ_by_a_stroke(first: str, second: str) -> None:
    assert skeleton(first) == skeleton(second)


@pytest.mark.parametrize(
    ("first", "second", "close"),
    [
        ("resnet50", "resent50", True), ("resnet50", "resnext50", True), ("resnet50", "resnst50", True),
        ("resnet50", "resne50", True), ("lite0", "lite1", False), ("resnet50", "resnet501", False),
        ("resnet50", "resnet101", False), ("resnet50", "resnet05", False), ("vgg16", "vgg16-bn", False),
        ("convnext-tiny", "convnext-base", False), ("same", "same", False),
    ],
)  # fmt: skip
def test_one_letter_apart_but_not_one_digit(first: str, second: str, close: bool) -> None:
    assert near(first, second) is near(second, first) is close


def test_one_letter_apart_is_a_warning_because_honest_names_are() -> None:
    (found,) = likenesses("resnest50", "ResNeSt-50", {"resnet50": "ResNet-50", "vit-small": "ViT-S"})
    assert (found.level, found.other) == ("warning", "resnet50")


def test_a_title_that_looks_like_anothers_is_an_error() -> None:
    (found,) = likenesses("mine", "RеsNet 5O", {"resnet50": "ResNet-50"})
    assert (found.field, found.level) == ("title", "error")
    assert likenesses("mine", "ResNet-50 with blur pooling", {"resnet50": "ResNet-50"}) == []


def test_a_changed_submission_is_not_compared_with_itself() -> None:
    assert likenesses("resnet50", "ResNet-50", {"resnet50": "ResNet-50"}) == []


def test_the_shipped_submissions_pass() -> None:
    titles = {name: submissions.load(name).spec.title for name in submissions.names()}
    for name, other in permutations(titles, 2):
        assert [one for one in likenesses(name, titles[name], {other: titles[other]}) if one.level == "error"] == []
