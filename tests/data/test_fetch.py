"""Fetching a card's dataset: terms first, sources in turn, resumed, ready for import; all on the loopback interface."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.data import card as cards
from benchmark.data.card import Card, Counts, Source
from benchmark.data.download import Patience, UnreachableError
from benchmark.data.fetch import describe, fetch, source_of
from benchmark.data.importers import IMPORTERS, members
from benchmark.errors import InfrastructureError, InputError

Server = Any
FOLDER = "Some [old] work/single_chromosomes"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "somebody/chromosomes"


def ignore(done: int, total: int | None) -> None:
    """Progress that nobody looks at."""


def bmp(seed: int) -> bytes:
    """A generated grey picture."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 7), dtype=np.uint8)).save(buffer, "BMP")
    return buffer.getvalue()


NAMES = ("1a", "1b", "23")
IMAGES = {f"{cell}/{cell} {name}.bmp": bmp(cell * 100 + n) for cell in (1, 2) for n, name in enumerate(NAMES)}


def repository_archive(top: str = "work-HEAD") -> bytes:
    """A tiny BioImLab tree inside a repository, as GitHub packs it."""
    files = {f"{FOLDER}/{name}": data for name, data in IMAGES.items()}
    files |= {"README.md": b"x" * 50_000, "figures/overview.bmp": bmp(7)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", pax_headers={"comment": COMMIT}) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


ARCHIVE = repository_archive()
GITHUB = Source(kind="github", repository="owner/images", folder=FOLDER)
HUGGINGFACE = Source(kind="huggingface", repository=HUB, folder=FOLDER)
MANUAL = Source(kind="manual", url="http://example.org/page", official=True)


def a_card(*sources: Source) -> Card:
    """A card with these sources."""
    return Card(
        name="tiny-q",
        title="Tiny",
        stain="Q",
        polarity="light-on-dark",
        layout="bioimlab",
        group="cell",
        description="Generated.",
        citation=("A. Author. A paper. 2000.",),
        terms="For research only; " + "cite the authors; " * 20 + "the last words of the terms.",
        sources=sources,
        counts=Counts(images=6, cells=2, cases=0),
    )


@pytest.fixture(autouse=True)
def local(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both hosts are the loopback server."""
    monkeypatch.setenv("KARYOBENCH_GITHUB", server.base + "/github/")
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture
def quick() -> dict[str, Any]:
    """What every call passes: terms accepted, no waiting."""
    return {
        "accept_terms": True,
        "progress": ignore,
        "patience": Patience(attempts=2, connect=2.0, read=2.0, pause=0.0, sleep=lambda _: None),
    }


@pytest.fixture
def github(server: Server) -> str:
    """The repository's archive is served; gives its path."""
    server.add("/github/owner/images/tar.gz/HEAD", ARCHIVE)
    return "/github/owner/images/tar.gz/HEAD"


def serve_hub(server: Server, files: dict[str, bytes]) -> None:
    """The part of the hub's interface that its client uses to copy a dataset."""
    info = {"id": HUB, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
    tree = [
        {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        for name, data in files.items()
    ]
    tree.append({"type": "directory", "path": FOLDER, "oid": "0" * 40})
    as_json = {"etag": None, "type": "application/json"}
    server.add(f"/api/datasets/{HUB}", json.dumps(info).encode(), **as_json)
    for revision in ("main", "v1"):
        server.add(f"/api/datasets/{HUB}/revision/{revision}", json.dumps(info).encode(), **as_json)
    server.add(f"/api/datasets/{HUB}/tree/{COMMIT}", json.dumps(tree).encode(), **as_json)
    for name, data in files.items():
        etag = f'"{hashlib.sha1(data).hexdigest()}"'
        server.add(f"/datasets/{HUB}/resolve/{COMMIT}/{name}", data, etag=etag, headers={"X-Repo-Commit": COMMIT})


def hub_files() -> dict[str, bytes]:
    """A dataset repository: the images and something else."""
    others = {"README.md": b"text", "other/1/1 1a.bmp": bmp(8)}
    return {f"{FOLDER}/{name}": data for name, data in IMAGES.items()} | others


def read(card: Card, path: Path) -> dict[str, str]:
    """Import what was fetched: labels by image id."""
    folder = source_of(card, path).folder
    found = list(IMPORTERS["bioimlab"](members(path, (".bmp",), folder)))
    for item in found:
        cell, number, copy = int(item.cell), int(item.image[4:6]), item.image[6:]
        stored = np.asarray(Image.open(io.BytesIO(IMAGES[f"{cell}/{cell} {number}{copy}.bmp"])))
        np.testing.assert_array_equal(item.pixels, stored)
    return {item.image: item.label for item in found}


LABELS = {"001-01a": "1", "001-01b": "1", "001-23": "X", "002-01a": "1", "002-01b": "1", "002-23": "X"}


@pytest.mark.usefixtures("github")
def test_terms_come_before_the_network(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    quick["accept_terms"] = False
    with pytest.raises(InputError) as caught:
        fetch(a_card(GITHUB), tmp_path, **quick)
    assert a_card().terms in str(caught.value)
    assert "A. Author. A paper. 2000." in str(caught.value)
    assert server.log == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("github")
def test_repository_archive_to_images(tmp_path: Path, quick: dict[str, Any]) -> None:
    card = a_card(MANUAL, GITHUB)
    path = fetch(card, tmp_path, **quick)
    assert path.is_file()
    assert source_of(card, path) == GITHUB
    assert read(card, path) == LABELS


def test_revision_is_asked_for(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    server.add("/github/owner/images/tar.gz/refs/heads/a b", ARCHIVE)
    card = a_card(GITHUB.model_copy(update={"revision": "refs/heads/a b"}))
    assert read(card, fetch(card, tmp_path, **quick)) == LABELS


def test_interrupted_fetch_asks_only_for_the_rest(
    server: Server, tmp_path: Path, quick: dict[str, Any], github: str
) -> None:
    server.routes[github].cuts = [600, 400]
    with pytest.raises(UnreachableError, match="1,000 bytes are kept"):
        fetch(a_card(GITHUB), tmp_path, **quick)
    asked = len(server.log)
    path = fetch(a_card(GITHUB), tmp_path, **quick)
    assert path.read_bytes() == ARCHIVE
    assert [(r.range, r.sent) for r in server.log[asked:]] == [("bytes=1000-", len(ARCHIVE) - 1000)]
    fetch(a_card(GITHUB), tmp_path, **quick)
    assert len(server.log) == asked + 1


def test_official_source_comes_first(server: Server, tmp_path: Path, quick: dict[str, Any], github: str) -> None:
    official = Source(kind="archive", url=server.add("/official.tar.gz", ARCHIVE), official=True)
    path = fetch(a_card(GITHUB, official), tmp_path, **quick)
    assert source_of(a_card(GITHUB, official), path) == official
    assert [request.path for request in server.log] == ["/official.tar.gz"]
    assert github not in [request.path for request in server.log]


@pytest.mark.usefixtures("github")
def test_chosen_source_is_the_only_one(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    official = Source(kind="archive", url=server.base + "/gone.tar.gz", official=True)
    assert source_of(a_card(official, GITHUB), fetch(a_card(official, GITHUB), tmp_path, source=1, **quick)) == GITHUB
    assert len(server.log) == 1
    with pytest.raises(InputError, match="no such file on the server"):
        fetch(a_card(official, GITHUB), tmp_path, source=0, **quick)
    assert len(server.log) == 2


def test_next_source_after_a_failure(server: Server, tmp_path: Path, quick: dict[str, Any], github: str) -> None:
    page = Source(kind="archive", url=server.add("/page.zip", b"<html>log in</html>"), official=True)
    card = a_card(page, GITHUB)
    assert source_of(card, fetch(card, tmp_path, **quick)) == GITHUB
    assert [request.path for request in server.log] == ["/page.zip", github]
    assert len(list(tmp_path.iterdir())) == 1


def test_all_failures_are_listed(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    page = Source(kind="archive", url=server.add("/page.zip", b"<html>log in</html>"))
    card = a_card(MANUAL, GITHUB, page)
    with pytest.raises(InputError) as caught:
        fetch(card, tmp_path, **quick)
    text = str(caught.value)
    assert re.search(r"github owner/images@HEAD.*no such file on the server.*HTTP 404", text)
    assert re.search(r"archive http\S+/page\.zip: .*a web page instead of an archive", text)
    assert "http://example.org/page" in text
    assert "karyobench data import tiny-q" in text


def test_failure_that_may_pass_is_not_the_users(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    down = Source(kind="archive", url=server.add("/down.zip", ARCHIVE, failures=[503] * 2))
    with pytest.raises(InfrastructureError, match=r"(?s)HTTP 503.*HTTP 404"):
        fetch(a_card(down, GITHUB), tmp_path, **quick)


def test_checksum_of_the_card_is_held(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    url = server.add("/a.tar.gz", ARCHIVE)
    right = Source(kind="archive", url=url, sha256=hashlib.sha256(ARCHIVE).hexdigest())
    wrong = right.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(InputError, match="another SHA-256"):
        fetch(a_card(wrong), tmp_path, **quick)
    assert fetch(a_card(right), tmp_path, **quick).read_bytes() == ARCHIVE


def test_other_address_is_never_served_from_an_old_file(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    first = Source(kind="archive", url=server.add("/1/data.tar.gz", ARCHIVE))
    other = repository_archive("other")
    second = Source(kind="archive", url=server.add("/2/data.tar.gz", other))
    assert fetch(a_card(first), tmp_path, **quick).read_bytes() == ARCHIVE
    assert fetch(a_card(second), tmp_path, **quick).read_bytes() == other


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.usefixtures("github")
def test_full_disk_ends_the_search(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    """Another source would need the same room."""
    official = Source(kind="archive", url=server.add("/a.tar.gz", ARCHIVE), official=True)
    card = a_card(official, GITHUB)
    name = fetch(card, tmp_path / "there", **quick).name
    asked = len(server.log)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / f"{name}.part").symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="disk is full"):
        fetch(card, tmp_path / "full", **quick)
    assert [request.path for request in server.log[asked:]] == ["/a.tar.gz"]


@pytest.mark.parametrize(
    ("sources", "chosen", "words"),
    [
        ((), None, "nothing to download"),
        ((MANUAL,), None, r"nothing to download.*http://example\.org/page"),
        ((MANUAL, GITHUB), 0, r"by hand.*http://example\.org/page"),
        ((MANUAL, GITHUB), 2, r"no such source; found 2; allowed: 0 \(manual .*1 \(github owner/images"),
        ((MANUAL, GITHUB), -1, "no such source; found -1"),
        ((Source(kind="github"),), None, r"card of tiny-q: sources\.repository"),
        ((Source(kind="github", repository="../x"),), None, r"not a repository; found '\.\./x'; allowed: owner/name"),
        ((Source(kind="archive"),), None, r"card of tiny-q: sources\.url"),
        ((Source(kind="huggingface"),), None, r"card of tiny-q: sources\.repository"),
    ],
)
def test_wrong_choices_name_what_is_allowed(
    server: Server, tmp_path: Path, quick: dict[str, Any], sources: tuple[Source, ...], chosen: int | None, words: str
) -> None:
    with pytest.raises(InputError, match=f"(?s){words}"):
        fetch(a_card(*sources), tmp_path, source=chosen, **quick)
    assert server.log == []


def test_path_from_elsewhere_has_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a download of this dataset"):
        source_of(a_card(GITHUB, MANUAL), tmp_path / "mine.zip")


@pytest.mark.parametrize("revision", ["HEAD", "v1", COMMIT])
def test_hub_folder_to_images(server: Server, tmp_path: Path, quick: dict[str, Any], revision: str) -> None:
    serve_hub(server, hub_files())
    server.add(f"/api/datasets/{HUB}/revision/{COMMIT}", server.routes[f"/api/datasets/{HUB}"].data, etag=None)
    card = a_card(HUGGINGFACE.model_copy(update={"revision": revision}))
    seen: list[tuple[int, int | None]] = []
    quick["progress"] = lambda done, total: seen.append((done, total))
    path = fetch(card, tmp_path, **quick)
    assert path.is_dir()
    assert read(card, path) == LABELS
    size = sum(map(len, IMAGES.values()))
    assert (seen[0], seen[-1]) == ((0, size), (size, size))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    files = sorted(item.relative_to(path).as_posix() for item in path.rglob("*") if item.is_file())
    assert files == sorted(f"{FOLDER}/{name}" for name in IMAGES)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    asked = len(server.log)
    assert fetch(card, tmp_path, **quick) == path
    assert len(server.log) == asked


def test_hub_copy_is_whole_or_absent_and_continues(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    serve_hub(server, hub_files())
    name, data = f"{FOLDER}/2/2 23.bmp", IMAGES["2/2 23.bmp"]
    missing = server.routes.pop(f"/datasets/{HUB}/resolve/{COMMIT}/{name}")
    card = a_card(HUGGINGFACE)
    with pytest.raises(UnreachableError, match=f"huggingface dataset {HUB}"):
        fetch(card, tmp_path, **quick)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    server.routes[f"/datasets/{HUB}/resolve/{COMMIT}/{name}"] = missing
    asked = len(server.log)
    assert read(card, fetch(card, tmp_path, **quick)) == LABELS
    bodies = [r for r in server.log[asked:] if r.method == "GET" and "/resolve/" in r.path]
    assert (bodies[-1].path.rsplit("/", 1)[-1], sum(r.sent for r in bodies)) == ("2 23.bmp", len(data))


def test_hub_that_vanishes_leaves_nothing_that_looks_whole(
    server: Server, tmp_path: Path, quick: dict[str, Any]
) -> None:
    """The client alone gives back what is there when its listing of the files fails."""
    serve_hub(server, hub_files())
    card = a_card(HUGGINGFACE)
    part = tmp_path / "here" / (fetch(card, tmp_path / "there", **quick).name + ".part")
    (part / FOLDER / "1").mkdir(parents=True)
    (part / FOLDER / "1" / "1 1a.bmp").write_bytes(IMAGES["1/1 1a.bmp"])
    listing = server.routes[f"/api/datasets/{HUB}/tree/{COMMIT}"]
    listed: list[int] = []

    def every_second_time() -> None:
        listed.append(1)
        listing.failures = [400] if len(listed) % 2 == 0 else []

    listing.before = every_second_time
    with pytest.raises(UnreachableError, match=r"5 of 6 files did not arrive whole, first .*1/1 1b"):
        fetch(card, part.parent, **quick)
    assert [path.name for path in part.parent.iterdir()] == [part.name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"repository": "somebody/else"}, "no such dataset, or access is refused"),
        ({"repository": "some--body/data"}, "not a repository.*allowed: owner/name"),
        ({"revision": "v9"}, "no such dataset, revision or file"),
        ({"folder": "nowhere"}, "holds no such folder.*found 'nowhere'"),
    ],
)
def test_hub_refusals(
    server: Server, tmp_path: Path, quick: dict[str, Any], change: dict[str, str], words: str
) -> None:
    serve_hub(server, hub_files())
    path = "/api/datasets/somebody/else"
    for suffix in ("", "/revision/main"):
        server.add(path + suffix, failures=[401] * 4)
    with pytest.raises(InputError, match=words):
        fetch(a_card(HUGGINGFACE.model_copy(update=change)), tmp_path, **quick)


def test_hub_name_that_leads_outside(server: Server, tmp_path: Path, quick: dict[str, Any]) -> None:
    serve_hub(server, hub_files() | {f"{FOLDER}/../../../evil.bmp": b"x"})
    with pytest.raises(InputError, match="a file name that leads outside"):
        fetch(a_card(HUGGINGFACE), tmp_path / "in", **quick)
    assert not list(tmp_path.rglob("evil.bmp"))


def test_hub_dataset_over_the_limit(
    server: Server, tmp_path: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub(server, hub_files())
    monkeypatch.setattr("benchmark.data.hub.MAX_BYTES", 1000)
    with pytest.raises(InputError, match="the dataset is too large"):
        fetch(a_card(HUGGINGFACE), tmp_path, **quick)
    assert not [request for request in server.log if "/resolve/" in request.path]


@pytest.mark.parametrize("name", ["bioimlab-q", "cir-g", "cir-g-origin"])
def test_shipped_cards_can_be_fetched(name: str) -> None:
    card = cards.load(name)
    assert any(source.kind != "manual" for source in card.sources)
    assert all(source.url or source.repository for source in card.sources)
    assert all(describe(source) for source in card.sources)
    assert card.layout in IMPORTERS
    assert (card.group == "image") == (card.counts.cells == 0)
    assert (card.group == "case") == (card.counts.cases > 0)


def test_card_without_groups_says_so() -> None:
    text = cards.load("cir-g-origin").description
    assert "groups are missing" in text
    assert "flattered" in text
