import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.data.card import Reading
from benchmark.data.importers import crops
from benchmark.data.importers.archive import Member
from benchmark.errors import InputError

GREY = np.arange(120, dtype=np.uint8).reshape(10, 12) * 2


def how(**said: Any) -> Reading:
    return Reading(names="{label}/*", **said)


def png(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def colour(values: np.ndarray, alpha: int | None = None) -> Image.Image:
    parts = [values, values // 2, values] + ([np.full_like(values, alpha)] if alpha is not None else [])
    return Image.fromarray(np.stack(parts, -1))


def opaque(values: np.ndarray, alpha: int) -> Image.Image:
    return Image.fromarray(np.stack([values, values, values, np.full_like(values, alpha)], -1))


def deep(scale: int) -> Image.Image:
    return Image.fromarray(GREY.astype(np.uint16) * scale)


@pytest.mark.parametrize("image", [
    Image.fromarray(GREY), opaque(GREY, 255), opaque(GREY, 255).convert("RGB"), Image.fromarray(GREY).convert("P"),
    Image.fromarray(GREY).convert("LA"),
])  # fmt: skip
def test_grey_in_any_mode_is_the_same_grey(image: Image.Image) -> None:
    assert (crops.decode(png(image), "a.png", how()) == GREY).all()


def test_sixteen_bits_are_divided_by_the_declared_white_and_by_nothing_else() -> None:
    found = crops.decode(png(deep(16)), "a.png", how(white=4095))
    assert found.dtype == np.uint8 and (found == np.round(GREY.astype(float) * 16 * 255 / 4095)).all()
    assert (crops.decode(png(deep(257)), "a.png", how(white=65535)) == GREY).all()


def test_declared_colour_and_transparency_are_converted() -> None:
    wanted = np.asarray(colour(GREY).convert("L"))
    assert (crops.decode(png(colour(GREY)), "a.png", how(colour="luminance")) == wanted).all()
    for ground, value in (("black", 0), ("white", 255)):
        assert (crops.decode(png(opaque(GREY, 0)), "a.png", how(transparent=ground)) == value).all()


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def two_pages() -> bytes:
    buffer = io.BytesIO()
    page = Image.fromarray(GREY)
    page.save(buffer, "TIFF", save_all=True, append_images=[page])
    return buffer.getvalue()


TALL = Image.fromarray(np.zeros((5000, 3), np.uint8))
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90), dtype=np.uint8))
WRONG: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "16 bits": (png(deep(16)), {}, "white: 16 bits of grey; found 'values 0 to 3808'; allowed: 8 bits.*--white 4095"),
    "too bright": (
        png(deep(257)),
        {"white": 4095},
        "white: brighter than the declared white; found 61166; allowed: 0 to 4095",
    ),
    "colour": (png(colour(GREY)), {}, "colour: a colour picture; found 'RGB'.*--colour luminance"),
    "transparent": (
        png(opaque(GREY, 128)),
        {},
        "transparent: a transparent picture; found 'RGBA'.*--transparent black",
    ),
    "a transparent grey": (png(Image.fromarray(GREY), transparency=4), {}, "a transparent picture"),
    "one bit": (png(Image.fromarray(GREY > 99)), {}, "black and white only"),
    "damaged": (cut_off(png(NOISE)), {}, "damaged or cut off"),
    "a text": (b"hello", {}, "cannot be decoded as an image; allowed: BMP, PNG, TIFF"),
    "empty file": (b"", {}, "cannot be decoded"),
    "two pictures": (two_pages(), {}, "several pictures in one file; found 2"),
    "huge": (png(TALL), {}, "unreasonable size; found .3, 5000."),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_was_not_declared_is_an_error(what: str) -> None:
    data, said, message = WRONG[what]
    with pytest.raises(InputError, match=rf"^7/a\.png: {message}" if ":" in message else message):
        crops.decode(data, "7/a.png", how(**said))


def test_what_is_left_out_is_not_even_read() -> None:
    def refuse() -> bytes:
        raise AssertionError

    members = [
        Member("x/overview.png", refuse),
        Member("trash/a.png", refuse),
        Member("1/a.png", lambda: png(Image.fromarray(GREY))),
    ]
    found = list(crops.read(members, how(leave_out=["overview*", "trash/*"])))
    assert [name for name, _ in found] == ["1/a.png"]
