"""Whether findings are right: recall and precision of what was planted, and what is told where nothing was.

``findings shapes shapes_clean digits photos noise`` are the sources; without a name, all of them. Flipped labels and
copied pictures are planted in the studies themselves, three seeds each; the ring is in the pictures of `shapes` and
`shapes_clean`, but only the network of the first has learnt it. "Told" are findings where nothing was planted: marks,
mislabels, gathered errors, borders, duplicates. On real photos some may be right: their model does err.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nap_core.findings.duplicates import find_duplicates
from nap_core.findings.mislabels import suspects
from nap_core.findings.records import Evidence
from nap_core.findings.search import find_findings
from nap_core.inputs.properties import ImageProperties, image_properties
from nap_core.study import Study
from nap_core.study.findings import evidence
from tests.benchmarks.cases import SHARED, photo_study
from tests.planted_findings import flipped, noise_evidence, score

SOURCES = ("shapes", "shapes_clean", "digits", "photos", "noise")
SUSPECT = ("cue", "mislabelled", "errors", "border", "duplicates")
SEEDS = range(3)
COPIES = ("equal", "JPEG 40", "two thirds", "lighter")
_N_COPIES = 40


def row(data: str, planted: str, n: int, *figures: object) -> None:
    print(
        f"| {data} | {planted} | {n} | {' | '.join(f'{f:.2f}' if isinstance(f, float) else str(f) for f in figures)} |"
    )


def flips(name: str, given: Evidence) -> None:
    for share in (0.01, 0.03, 0.1):
        scores = []
        for seed in SEEDS:
            planted, chosen = flipped(given, share, seed)
            scores.append(score(suspects(planted).image, chosen))
        recall, precision = np.mean(scores, axis=0)
        row(name, f"{share:.0%} of the labels flipped", len(chosen), recall, precision)


def copied(picture: bytes, kind: str) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if kind == "JPEG 40":
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=40)
        image = Image.open(packed)
    elif kind == "two thirds":
        image = image.resize((image.width * 2 // 3, image.height * 2 // 3))
    pixels = np.asarray(image)
    return np.clip(pixels * 1.1 + 8, 0, 255).astype(np.uint8) if kind == "lighter" else pixels


def with_copies(study: Study, seen: ImageProperties, kind: str, seed: int) -> tuple[ImageProperties, NDArray[np.int64]]:
    """Return the properties with some pictures there a second time, and all images that then have a double."""
    chosen = np.random.default_rng(seed).choice(study.n_images, _N_COPIES, replace=False)
    more = image_properties(lambda i: copied(study.thumbnail(int(chosen[i])), kind), _N_COPIES)
    both = ImageProperties(
        values={name: np.append(values, more.values[name]) for name, values in seen.values.items()},
        hue=np.append(seen.hue, more.hue),
        fingerprint=np.append(seen.fingerprint, more.fingerprint),
        small=np.concatenate([seen.small, more.small]),
    )
    return both, np.append(chosen, study.n_images + np.arange(_N_COPIES))


def duplicates(name: str, study: Study, seen: ImageProperties) -> None:
    for kind in COPIES:
        scores = []
        for seed in SEEDS:
            both, doubles = with_copies(study, seen, kind, seed)
            scores.append(score(find_duplicates(both).image, doubles.astype(np.int32)))
        recall, precision = np.mean(scores, axis=0)
        row(name, f"pictures twice, {kind}", _N_COPIES, recall, precision)


def ring(given: Evidence) -> None:
    """The images that pass for a star by the ring, and the rank of the finding that says so."""
    from nap_core.inputs.demos import factors

    marked = factors("shapes")["watermark"] == 1
    wanted = np.flatnonzero(marked & given.is_wrong & (given.answer == 3)).astype(np.int32)
    ranked = find_findings(given)
    rank = next(i for i, one in enumerate(ranked, 1) if one.kind == "cue")
    row("shapes", f"the ring (told in place {rank})", len(wanted), *score(ranked[rank - 1].image, wanted))


def unplanted(name: str, given: Evidence) -> None:
    told = [one.kind for one in find_findings(given) if one.kind in SUSPECT]
    row(name, "nothing", 0, "", f"told: {', '.join(told) or 'none'}")


def studies(names: list[str]) -> Iterator[tuple[str, Study]]:
    for name in names:
        if name == "photos" and not SHARED.is_dir():
            print("photos: skipped, because the folder of real weights and pictures is not there")
        elif name == "photos":
            yield name, photo_study("imagenet_multi")
        elif name != "noise":
            yield name, Study.demo(name)


def main(arguments: list[str]) -> None:
    if unknown := set(arguments) - set(SOURCES):
        raise SystemExit(f"No source {sorted(unknown)[0]!r}; there are {', '.join(SOURCES)}.")
    names = arguments or list(SOURCES)
    print("| data | planted | images | recall | precision |\n|---|---|---|---|---|")
    for name, study in studies(names):
        given = evidence(study)
        if name == "shapes":
            ring(given)
        else:
            unplanted(name, given)
        flips(name, given)
        if name != "shapes_clean":  # the same pictures as in `shapes`
            assert given.properties is not None
            duplicates(name, study, given.properties)
    if "noise" in names:
        told = [len(find_findings(noise_evidence(600, (32, 256), n_classes=8, seed=seed))) for seed in range(5)]
        row("Gaussian noise, 5 seeds", "nothing", 0, "", f"findings of any kind: {sum(told)}")
