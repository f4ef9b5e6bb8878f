"""Folder, zip and tar give the same members, and nothing in them can do harm."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.data.importers import archive as module
from benchmark.data.importers.archive import check_whole, kind_of, members
from benchmark.errors import InputError

FILES = {
    "set/1/1 1a.bmp": b"one",
    "set/1/1 2a.BMP": b"two",
    "set/10/10 1a.bmp": b"ten",
    "set/2-x/2 1a.bmp": b"x",
    "set/2/2 1a.bmp": b"deep",
    "other/set2/3 1a.bmp": b"elsewhere",
    "set/notes.txt": b"text",
    "__MACOSX/set/1/1 1a.bmp": b"resource fork",
    "set/1/._1 1a.bmp": b"resource fork",
    "set/.hidden.bmp": b"hidden",
}
Pack = Callable[[Path, dict[str, bytes]], Path]
WANTED = {name: data for name, data in FILES.items() if data in (b"one", b"two", b"ten", b"x", b"deep", b"elsewhere")}


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Lay files out in a folder."""
    for name, data in files.items():
        target = path / "folder" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path / "folder"


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Pack files as a zip, folders as entries of their own."""
    with zipfile.ZipFile(path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, data in files.items():
            archive.writestr(name, data)
    return path / "a.zip"


def as_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    """Pack files as a tar."""
    with tarfile.open(path / "a.tar", mode) as archive:
        folder = tarfile.TarInfo("set")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path / "a.tar"


def read(path: Path, folder: str = "") -> dict[str, bytes]:
    """All members by name."""
    return {member.name: member.read() for member in members(path, (".bmp",), folder)}


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_every_kind_gives_the_same_members(tmp_path: Path, pack: Pack) -> None:
    assert read(pack(tmp_path, FILES)) == WANTED


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_compression_is_read(tmp_path: Path, mode: str) -> None:
    assert read(as_tar(tmp_path, FILES, mode)) == WANTED


@pytest.mark.parametrize("pack", [as_folder, as_zip])
def test_order_is_by_name_whatever_the_packer_did(tmp_path: Path, pack: Pack) -> None:
    path = pack(tmp_path, dict(reversed(FILES.items())))
    assert [member.name for member in members(path, (".bmp",))] == sorted(WANTED)


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_members_can_be_read_after_the_walk(tmp_path: Path, pack: Pack) -> None:
    kept = list(members(pack(tmp_path, FILES), (".bmp",)))
    assert {member.name: member.read() for member in kept} == WANTED


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@pytest.mark.parametrize(
    ("folder", "number"), [("set", 5), ("/set/", 5), ("set/1", 2), ("1", 2), ("set2", 1), ("other/set2", 1), ("/", 6)]
)
def test_folder_narrows_by_whole_names(tmp_path: Path, pack: Pack, folder: str, number: int) -> None:
    found = read(pack(tmp_path, FILES), folder)
    assert len(found) == number
    assert all(f"/{folder.strip('/')}/" in f"/{name}" for name in found if folder != "/")


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@pytest.mark.parametrize(("folder", "files"), [("elsewhere", FILES), ("", {"set/a.txt": b""})])
def test_nothing_to_read_is_an_error(tmp_path: Path, pack: Pack, folder: str, files: dict[str, bytes]) -> None:
    path = pack(tmp_path, files)
    with pytest.raises(InputError, match=r"holds no image file; allowed: \.bmp") as caught:
        read(path, folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x1f\x8b", b"PK\x03\x04", b"<html></html>", gzip.compress(b"x" * 999, mtime=0)]
)
def test_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert kind_of(path) is None
    with pytest.raises(InputError, match="neither a folder nor an archive") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_path_and_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere", "pipe"):
        with pytest.raises(InputError, match=f"{name}: no such file or folder"):
            read(tmp_path / name)


def test_zip_inside_a_tar_is_not_taken_for_the_archive(tmp_path: Path) -> None:
    inner = as_zip(tmp_path, {"set/9/9 1a.bmp": b"inner"}).read_bytes()
    path = as_tar(tmp_path, {"set/1/1 1a.bmp": b"outer", "inner.zip": inner}, "w")
    assert read(path) == {"set/1/1 1a.bmp": b"outer"}


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_names_that_lead_outside_write_nothing(tmp_path: Path, pack: Pack) -> None:
    names = ("../../evil.bmp", "/etc/evil.bmp", "set\\..\\evil.bmp")
    inside = tmp_path / "in"
    inside.mkdir()
    found = read(pack(inside, dict.fromkeys(names, b"evil")))
    assert set(found) == {"../../evil.bmp", "/etc/evil.bmp", "set/../evil.bmp"}
    assert [path.name for path in tmp_path.rglob("*") if "evil" in path.name] == []
    assert not Path("/etc/evil.bmp").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_skipped(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        special = tarfile.TarInfo("set/1/1 1a.bmp")
        special.type, special.linkname = kind, "/etc/hostname"
        archive.addfile(special)
        archive.addfile(tarfile.TarInfo("set/1/1 1b.bmp"))
    assert read(path) == {"set/1/1 1b.bmp": b""}


def test_link_in_a_zip_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("set/1/1 1a.bmp")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
        archive.writestr("set/1/1 1b.bmp", b"real")
    assert read(path) == {"set/1/1 1b.bmp": b"real"}


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, {"set/1/1 1a.bmp": b"real"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.bmp").write_bytes(b"secret")
    (folder / "set" / "linked").symlink_to(outside)
    (folder / "set" / "linked.bmp").symlink_to(outside / "secret.bmp")
    (folder / "set" / "round").symlink_to(folder)
    assert read(folder) == {"set/1/1 1a.bmp": b"real"}


def test_damaged_zip_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/1/1 1a.bmp", b"first" * 9)
        archive.writestr("set/1/1 1b.bmp", b"SECOND" * 9)
    path.write_bytes(path.read_bytes().replace(b"SECOND", b"SECONd", 1))
    assert kind_of(path) == "zip"
    with pytest.raises(InputError, match=r"set/1/1 1b\.bmp: damaged member") as caught:
        read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"from here: set/1/1 1b\.bmp: damaged member"):
        check_whole(path, "from here")


def test_zip_with_a_damaged_directory(tmp_path: Path) -> None:
    path = as_zip(tmp_path, FILES)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x03"))
    with pytest.raises(InputError, match="damaged archive"):
        read(path)


def test_encrypted_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/1/1 1a.bmp", b"first")
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"set/1/1 1a\.bmp: damaged member.*encrypted"):
        read(path)


NOISE = random.Random(1).randbytes(180_000)
THIRDS = {f"set/1/1 {number}a.bmp": NOISE[60_000 * number :][:60_000] for number in range(3)}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_cut_off_tar_is_an_error_and_not_fewer_images(tmp_path: Path, mode: str) -> None:
    path = as_tar(tmp_path, THIRDS, mode)
    check_whole(path, "here")
    path.write_bytes(path.read_bytes()[:150_000])
    with pytest.raises(InputError, match=r"a\.tar"):
        read(path)
    with pytest.raises(InputError, match="here: the archive is cut off or damaged"):
        check_whole(path, "here")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_damaged_compression_is_an_error(tmp_path: Path, mode: str) -> None:
    path = as_tar(tmp_path, THIRDS, mode)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="the archive is cut off or damaged"):
        check_whole(path, "here")


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
def test_only_wanted_files_count_against_the_limit(tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository may hold large files of its own beside the images."""
    monkeypatch.setattr(module, "MAX_FILE", 1000)
    path = pack(tmp_path, FILES | {"set/weights.bin": NOISE})
    assert read(path) == WANTED
    path = pack(tmp_path, FILES | {"set/1/1 9a.bmp": NOISE})
    with pytest.raises(InputError, match=r"set/1/1 9a\.bmp: member is too large; found '180,000 bytes'"):
        read(path)


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_archive_of_too_many_members_or_bytes(tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path, FILES | {"set/1/1 9a.bmp": bytes(500_000)})
    assert path.stat().st_size < 50_000
    with monkeypatch.context() as patch:
        patch.setattr(module, "MAX_MEMBERS", 5)
        with pytest.raises(InputError, match="too many members"):
            read(path)
    monkeypatch.setattr(module, "MAX_UNPACKED", 400_000)
    with pytest.raises(InputError, match="here: unpacks to too much"):
        check_whole(path, "here")
