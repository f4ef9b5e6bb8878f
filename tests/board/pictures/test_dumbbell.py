from benchmark.board.model import Estimate
from benchmark.board.pictures.dumbbell import Scores, dumbbell


def row(label: str, heading: str = "", **arms: float) -> Scores:
    found = {name.replace("_", "-"): Estimate(value=v, low=v - 0.02, high=v + 0.02) for name, v in arms.items()}
    return Scores(heading, label, found)


def test_the_chart_has_every_protocol_and_name_as_text_and_is_the_same_twice() -> None:
    rows = [row("first", "Q-band", scratch=0.5, imagenet=0.7, two_step=0.8), row("second", "G-band", scratch=0.4)]
    found = dumbbell(rows, "A note.")
    assert found == dumbbell(rows, "A note.") and found["png"].startswith(b"\x89PNG")
    svg = found["svg"].decode()
    for text in ("first", "second", "Q-band", "G-band", "scratch", "imagenet", "two-step", "macro-F1", "A note."):
        assert text in svg
    assert "imagenet-long" not in svg


def test_a_name_that_is_a_script_stays_text() -> None:
    svg = dumbbell([row("<script>alert(1)</script>", scratch=0.5)])["svg"]
    assert b"<script" not in svg and b"&lt;script&gt;" in svg


def test_a_score_without_an_interval_is_a_point() -> None:
    alone = Scores("", "net", {"two-step": Estimate(value=0.9, low=None, high=None)})
    assert b"two-step" in dumbbell([alone])["svg"]
