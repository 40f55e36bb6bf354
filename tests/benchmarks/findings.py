"""Whether findings are right: recall and precision of what was planted, and what is told where nothing was.

``findings shapes shapes_clean digits fashion vit photos noise [--seeds N]`` are the sources; without a name, all of
them. Flipped labels and copied pictures are planted in the studies themselves, three seeds each unless told; "like" are
labels flipped to the class each image is likest to otherwise. The ring is in the pictures of `shapes` and
`shapes_clean`, but only the network of the first has learnt it. Beside recall and precision stand the lowest of the
seeds, and how many of the suspects were expected to be wrong, as a share of how many were. "Told" are findings where
nothing was planted: marks, mislabels, gathered errors, borders, duplicates. On real photos some may be right: their
model does err.
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
from tests.benchmarks import explain
from tests.benchmarks.cases import SHARED, photo_study
from tests.planted_findings import flipped, flipped_alike, noise_evidence, score

SOURCES = ("shapes", "shapes_clean", "digits", "fashion", "vit", "photos", "noise")
SUSPECT = ("cue", "mislabelled", "errors", "border", "duplicates")
COPIES = ("equal", "JPEG 40", "two thirds", "lighter")
_N_COPIES = 40


def row(data: str, planted: str, n: int, *figures: object) -> None:
    print(
        f"| {data} | {planted} | {n} | {' | '.join(f'{f:.2f}' if isinstance(f, float) else str(f) for f in figures)} |"
    )


def flips(name: str, given: Evidence, seeds: int) -> None:
    for share, likest in ((0.01, False), (0.03, False), (0.05, False), (0.1, False), (0.03, True)):
        scores, expected, right = [], 0.0, 0
        for seed in range(seeds):
            planted, chosen = (flipped_alike if likest else flipped)(given, share, seed)
            found = suspects(planted)
            scores.append(score(found.image, chosen))
            expected, right = expected + found.expected, right + len(np.intersect1d(found.image, chosen))
        (recall, precision), lowest = np.mean(scores, axis=0), np.min(scores, axis=0)
        what = f"{share:.0%} of the labels flipped{', like' if likest else ''}"
        told = f"lowest {lowest[0]:.2f}, {lowest[1]:.2f}; expected / right {expected / max(1, right):.2f}"
        row(name, what, len(chosen), recall, precision, told)


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


def duplicates(name: str, study: Study, seen: ImageProperties, seeds: int) -> None:
    for kind in COPIES:
        scores = []
        for seed in range(seeds):
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
        if name in ("photos", "fashion", "vit") and not SHARED.is_dir():
            print(f"{name}: skipped, because the folder of real weights and pictures is not there")
        elif name == "photos":
            yield name, photo_study("imagenet_multi")
        elif name in ("fashion", "vit"):
            source = explain.SOURCES[name]
            yield name, source.make(source.layers)[0]
        elif name != "noise":
            yield name, Study.demo(name)


def main(arguments: list[str]) -> None:
    arguments, seeds = list(arguments), 3
    if "--seeds" in arguments:
        at = arguments.index("--seeds")
        seeds = int(arguments[at + 1])
        del arguments[at : at + 2]
    if unknown := set(arguments) - set(SOURCES):
        raise SystemExit(f"No source {sorted(unknown)[0]!r}; there are {', '.join(SOURCES)}.")
    names = arguments or list(SOURCES)
    print("| data | planted | images | recall | precision | mislabels: seeds, expected |\n|---|---|---|---|---|---|")
    for name, study in studies(names):
        given = evidence(study)
        if name == "shapes":
            ring(given)
        else:
            unplanted(name, given)
        flips(name, given, seeds)
        if name != "shapes_clean":  # the same pictures as in `shapes`
            assert given.properties is not None
            duplicates(name, study, given.properties, seeds)
    if "noise" in names:
        told = [
            one.kind
            for seed in range(5)
            for one in find_findings(noise_evidence(600, (32, 256), n_classes=8, seed=seed))
        ]
        row("Gaussian noise, 5 seeds", "nothing", 0, "", f"told: {', '.join(told) or 'none'}")
