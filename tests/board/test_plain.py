import pytest

from benchmark.board.plain import plain, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Net – café", "Net – café"),
        ("  two\tlines\r\nand\u2028more ", "two lines and more"),
        ("a\x00b\x1bc", "a b c"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("染色体", "染色体"),
        ("\u200b\u202e", ""),
    ],
)
def test_a_text_is_one_line_without_signs_that_hide_or_turn(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert shorten("a long name", 6) == "a lon…" and shorten("a long  name", 11) == "a long name"
