"""How alike Q-band, G-band and natural images are: everything that `karyobench insight similarity` computes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmark import provenance
from benchmark.data.manifest import CLASSES
from benchmark.insight import prediction, texture
from benchmark.insight.adistance import ADistance
from benchmark.insight.cka import ClassMeans, aligned, by_chance
from benchmark.insight.compare import HALVES, Comparison, stains, unclaimed
from benchmark.insight.domains import Bar, Domain, datasets, natural
from benchmark.insight.features import Backbone, Features, backbone
from benchmark.insight.frechet import Frechet
from benchmark.insight.kernel import Kernel
from benchmark.insight.measure import Measure
from benchmark.insight.reference import PHOTOGRAPHS, Natural
from benchmark.insight.resample import LEVEL, Floats, bootstrap, interval, seeds
from benchmark.insight.schema import (
    Alignment,
    Facts,
    Means,
    Network,
    Reference,
    Settings,
    Similarity,
    Span,
)
from benchmark.ledger import Ledger
from benchmark.track import Track

RESAMPLES = 1000
COMPONENTS = 64
"""Principal components that the Fréchet and A-distance use: the covariance of 1,280 features cannot be known from a
few hundred patches of a dozen photographs."""

SHUFFLES = 200


class Projection(NamedTuple):
    """Features in few dimensions.

    Attributes:
        points: of each domain, (images, components), most variance first.
        explained: part of the variance in them.
    """

    points: list[Floats]
    explained: float


class Outcome(NamedTuple):
    """The report, and what its picture needs beyond it.

    Attributes:
        report: everything but the points.
        points: of each domain in the report's order, the first two principal components, (images, 2).
    """

    report: Similarity
    points: list[Floats]


def project(features: Sequence[npt.NDArray[np.floating]], components: int = COMPONENTS) -> Projection:
    """Principal components of several domains together, each weighing the same whatever its size.

    Args:
        features: of each domain, (images, d).
        components: how many; fewer where there are fewer images or features.
    """
    means = [np.mean(x, axis=0, dtype=np.float64) for x in features]
    centre = np.mean(means, axis=0)
    spread = np.mean([(d := x.astype(np.float64) - centre).T @ d / len(x) for x in features], axis=0)
    values, vectors = np.linalg.eigh(spread)
    kept = min(components, spread.shape[0], min(len(x) for x in features) - 1)
    chosen = vectors[:, ::-1][:, :kept]
    chosen = chosen * np.where(chosen[np.abs(chosen).argmax(axis=0), np.arange(kept)] < 0, -1.0, 1.0)
    explained = float(values[::-1][:kept].sum() / values.sum())
    return Projection([(x.astype(np.float64) - centre) @ chosen for x in features], explained)


def facts(domain: Domain, found: texture.Texture, resamples: int, seed: int) -> Facts:
    """What a domain is, with its plain statistics."""
    weights = bootstrap(domain.count, resamples, seeds(seed, f"bootstrap {domain.name}"))
    drawn = (weights @ found.number)[:, None]
    spectrum = found.spectrum.sum(axis=0) / found.number.sum()
    plain = found.plain.sum(axis=0) / found.number.sum()
    values = [*plain, float(texture.slope(spectrum))]
    resampled = [*(weights @ found.plain / drawn).T, texture.slope(weights @ found.spectrum / drawn)]
    spans = [
        Span(value=value, low=low, high=high)
        for value, low, high in (interval(float(v), float(v), r) for v, r in zip(values, resampled, strict=True))
    ]
    return Facts(
        name=domain.name, title=domain.title, kind=domain.kind, simulated=domain.simulated, images=len(domain.images),
        groups=domain.count, group_by=domain.group_by, origin=domain.origin, pixels=domain.pixels, mean=spans[0],
        spread=spans[1], entropy=spans[2], slope=spans[3], spectrum=tuple(spectrum.tolist()),
    )  # fmt: skip


def alignment(
    q: Domain, g: Domain, features: Sequence[npt.NDArray[np.float32]], resamples: int, seed: int
) -> Alignment:
    """Linear CKA of the class means of two datasets."""
    means = [
        ClassMeans(x, np.asarray(domain.labels), domain.groups, len(CLASSES))
        for x, domain in zip(features, (q, g), strict=True)
    ]
    ones = [np.ones((1, domain.count), dtype=np.int64) for domain in (q, g)]
    weights = [bootstrap(d.count, resamples, seeds(seed, f"bootstrap {d.name}")) for d in (q, g)]
    value = float(aligned(means[0], means[1], ones[0], ones[1])[0])
    resampled = aligned(means[0], means[1], weights[0], weights[1])
    found = interval(value, value, resampled[np.isfinite(resampled)])
    (x, has_x), (y, has_y) = means[0](ones[0][0]), means[1](ones[1][0])
    shared = has_x & has_y
    chance = by_chance(x[shared], y[shared], SHUFFLES, seeds(seed, f"shuffle {q.name} {g.name}"))
    return Alignment(
        q=q.name, g=g.name, value=value, low=found.low, high=min(1.0, found.high), classes=int(shared.sum()),
        shuffled=float(chance.mean()), shuffled_high=float(np.quantile(chance, 0.95)),
    )  # fmt: skip


def measures(
    features: Sequence[npt.NDArray[np.float32]], points: list[Floats], textures: Sequence[texture.Texture],
    domains: Sequence[Domain], seed: int,
) -> list[Measure]:  # fmt: skip
    """All distances, the network's first."""
    groups = [domain.groups for domain in domains]
    return [
        Frechet(points, groups, seed), Kernel(features, groups), ADistance(points, groups, seed),
        texture.Spectrum(textures), texture.Slope(textures), texture.Intensity(textures),
    ]  # fmt: skip


def compare(
    workspace: Path, track: Track, names: Sequence[str], where: Path | None, seed: int, bar: Bar,
    resamples: int = RESAMPLES,
) -> Outcome:  # fmt: skip
    """Compare the datasets of a track with each other and with natural images.

    Args:
        workspace: holds the datasets; features are kept below `insight/features`.
        track: whose preprocessing and ledger entries.
        names: datasets instead of the track's.
        where: folder of natural images; None for the photographs of scikit-image and scikit-learn.
        seed: of all chance.
        bar: shows progress.
        resamples: of the groups.

    Raises:
        InputError: for whatever is missing or wrong in a dataset, the reference or the weights.
    """
    network = backbone()
    domains = datasets(workspace, track, names, bar)
    reference, source = natural(where, track.preprocess.size, seed, bar)
    domains.append(reference)
    extract = Features(network, workspace / "insight" / "features")
    features = []
    for domain in domains:
        with bar(f"features of {domain.name}") as progress:
            features.append(extract(domain.images, progress))
    with threadpool_limits(1, user_api="blas"):  # many small matrices: threads would only wait for each other
        return measured(workspace, track, domains, features, (network, source, where is None), seed, bar, resamples)


def measured(
    workspace: Path, track: Track, domains: list[Domain], features: list[npt.NDArray[np.float32]],
    made_by: tuple[Backbone, Natural, bool], seed: int, bar: Bar, resamples: int,
) -> Outcome:  # fmt: skip
    """Every figure, from domains and their features; arguments as `compare`."""
    network, source, default = made_by
    projection = project(features)
    textures = [texture.texture(domain.images, domain.groups) for domain in domains]
    chosen = measures(features, projection.points, textures, domains, seed)
    pairs, by_name = stains(domains), {domain.name: number for number, domain in enumerate(domains)}
    done, total = 0, len(chosen) * (len(domains) * (len(domains) + 1) // 2) + len(pairs)
    alignments = []
    with bar("comparing", "steps") as progress:

        def step() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        counts = [domain.count for domain in domains]
        comparisons = [Comparison(one, list(by_name), counts, resamples, seed, step) for one in chosen]
        for q, g in pairs:
            places = by_name[q], by_name[g]
            alignments.append(
                alignment(domains[places[0]], domains[places[1]], [features[p] for p in places], resamples, seed)
            )
            step()
    distances = [one for comparison in comparisons for one in comparison.distances()]
    report = Similarity(
        track=track.name, track_digest=track.digest, size=track.preprocess.size,
        reference=Reference(
            source=source.source, default=default, found=source.found, too_small=source.too_small,
            photographs=tuple(f"{p}/{n}" for p, (_, all_) in PHOTOGRAPHS.items() for n in all_) if default else (),
        ),
        domains=tuple(facts(d, t, resamples, seed) for d, t in zip(domains, textures, strict=True)),
        measures=tuple(Means(key=m.key, title=m.title, meaning=m.meaning) for m in chosen),
        distances=tuple(distances),
        floors=tuple(floor for comparison in comparisons for floor in comparison.floors),
        claims=tuple(comparison.claim(q, g) for q, g in pairs for comparison in comparisons),
        unclaimed=unclaimed(domains), alignment=tuple(alignments),
        prediction=prediction.predict(prediction.links(Ledger(workspace / "ledger"), track.name), distances, seed),
        network=Network(
            submission=network.submission.name, weights=network.reference, sha256=network.sha256,
            features=features[0].shape[1], components=projection.points[0].shape[1], explained=projection.explained,
        ),
        settings=Settings(seed=seed, resamples=resamples, level=LEVEL, halves=HALVES),
        versions=versions(), harness=provenance.harness(),
    )  # fmt: skip
    return Outcome(report, [points[:, :2] for points in projection.points])


def versions() -> dict[str, str]:
    """Versions of the packages that decide a figure."""
    found = dict(provenance.packages())
    for name in ("scikit-learn", "scikit-image"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
