from pathlib import Path

import pytest

from benchmark.board.refresh import refresh
from benchmark.errors import InputError
from tests.board import states
from tests.board.test_build import files, write_made

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_the_page_of_a_run_is_written_again_alone(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    write_made(folder, run=states.found())
    before = files(folder)
    assert refresh(folder, states.found("dead")) == folder / "status.html"
    after = files(folder)
    assert {name for name in after if after[name] != before[name]} == {"status.html"}
    refresh(folder, states.found())
    assert files(folder) == before


def test_only_a_board_with_a_page_of_a_run_can_have_it_written_again(tmp_path: Path) -> None:
    write_made(tmp_path / "board")
    with pytest.raises(InputError, match="no board with a page of a run"):
        refresh(tmp_path / "board", states.found())
    with pytest.raises(InputError, match="no board with a page of a run"):
        refresh(tmp_path / "nothing", states.found())
    write_made(tmp_path / "board", run=states.found())
    (tmp_path / "board" / "board.json").write_text("{}")
    with pytest.raises(InputError, match="not the data of a board"):
        refresh(tmp_path / "board", states.found())
