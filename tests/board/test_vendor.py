"""The bundle of others' libraries is what its recipe says, small, and with every licence."""

import gzip
import hashlib
import json
import re

from benchmark.board.pages.frame import STATIC

VENDOR = STATIC / "vendor"
FACTS = json.loads((VENDOR / "vendor.json").read_text())
BUNDLE = (STATIC / "vendor.js").read_bytes()


def test_the_bundle_is_the_one_that_the_recipe_made() -> None:
    assert hashlib.sha256(BUNDLE).hexdigest() == FACTS["sha256"] and len(BUNDLE) == FACTS["bytes"]


def test_the_bundle_is_small() -> None:
    assert len(gzip.compress(BUNDLE)) < 130_000 and FACTS["gzip_bytes"] < 130_000


def test_every_package_in_it_has_its_licence_in_full() -> None:
    parts = (VENDOR / "LICENSES").read_text().split("=" * 60)
    assert len(parts) == len(FACTS["packages"]) > 10
    for package, part in zip(FACTS["packages"], parts, strict=True):
        assert part.strip().startswith(f"{package['name']} {package['version']} ({package['license']})")
        assert "Copyright" in part and re.search(
            "Permission( to use|\\s+is hereby granted)|Redistribution and use", part
        )
        assert package["license"] in ("ISC", "MIT", "BSD-3-Clause")


def test_the_recipe_pins_exact_versions_that_are_those_of_the_bundle() -> None:
    recipe = json.loads((VENDOR / "package.json").read_text())
    locked = json.loads((VENDOR / "package-lock.json").read_text())["packages"]
    for name, version in {**recipe["dependencies"], **recipe["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and locked[f"node_modules/{name}"]["version"] == version
    for package in FACTS["packages"]:
        assert locked[f"node_modules/{package['name']}"]["version"] == package["version"]


def test_the_recipe_names_no_address_to_load_from() -> None:
    for path in VENDOR.iterdir():
        if path.name != "LICENSES":
            assert not re.search(r'"resolved"|registry', path.read_text()), path.name
