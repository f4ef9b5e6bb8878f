import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.errors import InfrastructureError, InputError
from benchmark.insight import reference
from benchmark.insight.reference import cut, folder, photographs


def image(path: Path, seed: int, size: tuple[int, int] = (50, 40), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def test_the_photographs_of_the_packages_are_cut_into_grey_patches_by_photograph() -> None:
    found = photographs(64)
    assert found.images.shape[1:] == (64, 64) and found.images.dtype == np.uint8
    assert len(set(found.groups)) == found.found == 12 and found.group_by == "photograph"
    assert {"astronaut", "china", "gravel"} < set(found.groups) and not {"cell", "page", "horse"} & set(found.groups)
    assert (
        found.source
        == f"{len(found.images)} patches of the 12 photographs that ship with scikit-image and scikit-learn"
    )
    assert found.files == photographs(128).files, "the hash is of the files"


def test_patches_tile_the_picture_at_several_sizes_and_are_never_blown_up() -> None:
    picture = Image.fromarray(np.zeros((128, 192), dtype=np.uint8))
    sides = [patch.shape for patch in cut(picture, 32)]
    assert len(sides) == 2 + 3 * 5 + 7 * 11 and set(sides) == {(32, 32)}
    assert len(list(cut(picture, 65))) == 2 and list(cut(picture, 129)) == []


def test_a_missing_package_or_photograph_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.PHOTOGRAPHS, "sklearn", ("datasets/images", ("nothing.jpg",)))
    with pytest.raises(InputError, match=r"nothing\.jpg: scikit-learn ships no such photograph"):
        photographs(64)
    monkeypatch.setattr(reference.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed; found 'scikit-image'.*pip install 'karyobench\[insight\]'"):
        photographs(64)


def test_images_of_a_folder_are_their_own_groups(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.JPG", "c.bmp", "d.webp")):
        image(tmp_path / name, number)
    (tmp_path / "notes.txt").write_text("no image")
    found = folder(tmp_path, 32)
    assert found.images.shape == (4, 32, 32) and found.groups.tolist() == ["a.png", "b.JPG", "c.bmp", "d.webp"]
    assert found.group_by == "image" and found.source == f"4 images of the folder {tmp_path.name}"
    before = found.files
    image(tmp_path / "a.png", 9)
    assert folder(tmp_path, 32).files != before


def test_subfolders_are_groups_however_deep_their_images_lie(tmp_path: Path) -> None:
    for number, name in enumerate(("n1/a.png", "n1/deep/b.png", "n2/a.png", "n3/a.png", "alone.png")):
        image(tmp_path / name, number)
    found = folder(tmp_path, 32)
    assert found.group_by == "subfolder" and sorted(found.groups) == ["alone.png", "n1", "n1", "n2", "n3"]


def test_the_middle_is_taken_and_alpha_and_palettes_are_read(tmp_path: Path) -> None:
    wide = np.zeros((32, 96), dtype=np.uint8)
    wide[:, 32:64] = 200
    for name in "abcd":
        Image.fromarray(wide).save(tmp_path / f"{name}.png")
    image(tmp_path / "p.png", 1, mode="P")
    image(tmp_path / "t.png", 1, mode="RGBA")
    image(tmp_path / "bit.png", 1, mode="1")
    assert (folder(tmp_path, 32).images[0] == 200).all()
    assert len(folder(tmp_path, 32).images) == 7


def test_small_images_are_left_out_and_counted(tmp_path: Path) -> None:
    for number in range(5):
        image(tmp_path / f"{number}.png", number, (50, 50) if number else (20, 50))
    found = folder(tmp_path, 32)
    assert len(found.images) == 4 and found.too_small == 1 and found.source.startswith("4 of 5 images")
    with pytest.raises(
        InputError, match="too few images of at least 64 pixels to resample; found 0; allowed: 4 or more"
    ):
        folder(tmp_path, 64)


def test_of_many_some_are_drawn_by_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MOST", 6)
    for number in range(20):
        image(tmp_path / f"{number:02d}.png", number)
    one, again, other = (folder(tmp_path, 32, seed) for seed in (0, 0, 1))
    assert one.groups.tolist() == again.groups.tolist() != other.groups.tolist()
    assert len(one.images) == 6 and one.found == 20 and one.source.startswith("6 of 20 images")


def test_folders_that_are_none_or_hold_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: --reference: no such folder"):
        folder(tmp_path / "nowhere", 32)
    with pytest.raises(InputError, match=r"a\.png: --reference: no such folder"):
        folder(image(tmp_path / "a.png", 0), 32)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no image; allowed: \.bmp"):
        folder(tmp_path / "empty", 32)
    with pytest.raises(InputError, match="too few images"):
        folder(tmp_path, 32)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InfrastructureError, match="cannot be read: Permission denied"):
        folder(tmp_path, 32)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n broken"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    for number in range(4):
        image(tmp_path / f"{number}.png", number)
    (tmp_path / "2.png").write_bytes(content)
    with pytest.raises(InputError, match=r"2\.png: --reference: the image cannot be read"):
        folder(tmp_path, 32)


def test_a_truncated_image_a_bomb_and_sixteen_bits_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = image(tmp_path / "a.png", 0, (300, 300)).read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.png.*cannot be read"):
        folder(tmp_path, 32)
    (tmp_path / "a.png").write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"a\.png.*cannot be read.*exceeds limit"):
        folder(tmp_path, 32)
    monkeypatch.undo()
    Image.fromarray(np.full((40, 40), 40_000, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png.*not an image of 8 bits; found 'I;16'"):
        folder(tmp_path, 32)
