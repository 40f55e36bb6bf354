"""A study, or some of its images, as plain files that any other program reads: JSON, CSV, ``.npy``, pictures."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nap_core.configs import ClusterConfig
from nap_core.errors import listed
from nap_core.findings.records import Finding
from nap_core.findings.search import KINDS
from nap_core.patterns.foreign import SHOWN, SOFTMAX
from nap_core.patterns.quality import PatternQuality
from nap_core.patterns.unplaced import KINDS as NEAR
from nap_core.patterns.unplaced import Unplaced
from nap_core.patterns.verdict import LayerVerdict
from nap_core.store import write_json
from nap_core.study import Study
from nap_core.study.findings import findings
from nap_core.study.foreign import FEWEST, FUSED, Foreign, own_strangeness
from nap_core.study.judgement import known_unplaced, known_verdict
from nap_core.study.new_images import NewImages
from nap_core.study.quality import known_quality
from nap_core.types import NOISE, Patterns

COLUMNS = (
    "image",
    "target",
    "prediction",
    "label",
    "probability",
    "outlier_score",
    "assigned",
    "assigned_probability",
    "stability",
    "is_apart",
    "near",
    "near_first",
    "near_second",
    "how_far",
)
"""What is told of an image in one layer: of a member what its pattern is, of one in no pattern what it lies near to."""


def _write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def named(number: int, names: Sequence[str]) -> str:
    """Return the name of a class, its number where it has no name, or nothing for `NOISE`."""
    if number == NOISE:
        return ""
    return names[number] if number < len(names) else str(number)


def predicted(study: Study, image: int) -> str:
    """Return the name of the class that the model sees in an image, or nothing."""
    if study.predictions is None:
        return ""
    return named(int(study.predictions.prediction[image]), study.prediction_names)


def pattern_rows(study: Study, patterns: Patterns, config: ClusterConfig, images: Iterable[int]) -> list[list[Any]]:
    """Return one row of `COLUMNS` per image of `images`; cells are empty for what was not computed before."""
    ids, sure = study.ids, known_quality(study, patterns.layer, config)
    lost = known_unplaced(study, patterns.layer, config)
    place = {} if lost is None else {int(image): at for at, image in enumerate(lost.image)}
    return [
        [
            ids[i],
            named(int(study.target[i]), study.class_names),
            predicted(study, i),
            int(patterns.label[i]),
            *(f"{float(x):.6g}" for x in (patterns.probability[i], patterns.outlier_score[i])),
            int(patterns.assigned[i]),
            f"{float(patterns.assigned_probability[i]):.6g}",
            *_of_pattern(sure, int(patterns.label[i])),
            *_why_in_none(lost, place.get(i)),
        ]
        for i in images
    ]


def _of_pattern(found: PatternQuality | None, label: int) -> list[Any]:
    if found is None or label == NOISE:
        return ["", ""]
    return [f"{float(found.stability[label]):.4g}" if found.layout else "", int(found.is_apart[label])]


def _why_in_none(found: Unplaced | None, at: int | None) -> list[Any]:
    if found is None or at is None:
        return [""] * 4
    second = "" if found.second[at] == NOISE else int(found.second[at])
    return [NEAR[found.kind[at]], int(found.first[at]), second, f"{float(found.distance[at]):.4g}"]


def _described(study: Study, patterns: Patterns, found: PatternQuality | None) -> list[dict[str, Any]]:
    ids = study.ids
    return [
        {
            "pattern": number,
            "size": int(patterns.size[number]),
            "persistence": float(patterns.persistence[number]),
            "medoid": ids[patterns.medoid[number]],
            "exemplars": [ids[i] for i in patterns.exemplars(number)],
            "members": [[ids[i], float(patterns.probability[i])] for i in patterns.members(number)],
            **_sure(found, number),
        }
        for number in range(patterns.n_patterns)
    ]


def _sure(found: PatternQuality | None, number: int) -> dict[str, Any]:
    """Return the figures of a pattern's quality, as far as they were computed; the rest is left out."""
    if found is None:
        return {}
    figures = {
        "stability": found.stability,
        "relative_persistence": found.persistence,
        "silhouette": found.silhouette,
        "dbcv": found.dbcv,
        "gap_filled": found.filled,
        "purity": found.purity,
        "entropy": found.entropy,
        "error_rate": found.error_rate,
        "error_lift": found.lift,
    }
    told: dict[str, Any] = {
        name: round(float(value[number]), 4) for name, value in figures.items() if np.isfinite(value[number])
    }
    if found.layout:
        told |= {"stability_word": found.words[number], "stability_layout": found.layout}
    return told | {"is_apart": bool(found.is_apart[number]), "nearest_pattern": int(found.neighbor[number])}


def _flow_rows(study: Study, layers: Sequence[str], config: ClusterConfig) -> Iterable[list[Any]]:
    for source, target in pairwise(layers):
        count = study.flow(source, target, config).count
        for a, b in zip(*np.nonzero(count), strict=True):
            last_a, last_b = count.shape[0] - 1, count.shape[1] - 1
            yield [source, NOISE if a == last_a else a, target, NOISE if b == last_b else b, count[a, b]]


def export(study: Study, to: Path | str, config: ClusterConfig | None = None) -> Path:
    """Write the study as plain files.

    ``study.json``, ``flows.csv``, ``findings.json``, ``findings.csv`` (one row per finding and image), ``images.csv``
    (one row per image: the findings that name it, how strange it is, its pattern in every layer), and per layer a
    folder with ``activations.npy`` (raw pooled, float32 ``[image, feature]``), ``patterns.csv`` (one row per image,
    `COLUMNS`) and ``patterns.json``. Of quality only what was computed before is written: figures in ``patterns.json``,
    and ``verdict.json``.

    Returns
    -------
    Path
        The folder written.
    """
    to, config = Path(to), config or study.config
    to.mkdir(parents=True, exist_ok=True)
    layers = [name for name in study.layer_names if name not in study.problems]
    for layer in layers:
        folder = to / layer
        folder.mkdir(exist_ok=True)
        patterns = study.patterns(layer, config)
        np.save(folder / "activations.npy", study.activations(layer).values, allow_pickle=False)
        _write_rows(folder / "patterns.csv", COLUMNS, pattern_rows(study, patterns, config, range(study.n_images)))
        write_json(folder / "patterns.json", _described(study, patterns, known_quality(study, layer, config)))
        if (judged := known_verdict(study, layer, config)) is not None:
            write_json(folder / "verdict.json", _verdict(judged))
    header = ("source_layer", "source", "target_layer", "target", "count")
    _write_rows(to / "flows.csv", header, _flow_rows(study, layers, config))
    found = findings(study, config)
    write_json(to / "findings.json", finding_rows(study, found))
    _write_rows(to / "findings.csv", ("image", "rank", "kind", "layer", "pattern", "note"), _flags(study, found))
    _write_rows(to / "images.csv", *_image_table(study, found, config))
    write_json(to / "study.json", study.about | {"seconds": _seconds(study, config)})
    return to


def _image_table(
    study: Study, found: Sequence[Finding], config: ClusterConfig
) -> tuple[list[str], Iterable[list[Any]]]:
    """Return header and rows of everything that is said of each image of the study."""
    named_by: list[list[str]] = [[] for _ in range(study.n_images)]
    for rank, one in enumerate(found, 1):
        for image in one.image:
            named_by[image].append(f"{rank} {one.kind}")
    layers = {name: study.patterns(name, config) for name in study.layer_names if name not in study.problems}
    strange = np.full(study.n_images, np.nan, np.float32)
    if layers and study.n_images >= FEWEST:
        told = own_strangeness(study, config)
        strange[told.known] = told.own_chance
    header = ["image", "target", "prediction", "confidence", "findings", "as_strange", *layers]
    sure = study.predictions
    rows = (
        [
            study.ids[i],
            named(int(study.target[i]), study.class_names),
            predicted(study, i),
            "" if sure is None else f"{float(sure.confidence[i]):.6g}",
            "; ".join(named_by[i]),
            "" if np.isnan(strange[i]) else f"{float(strange[i]):.6g}",
            *(int(patterns.label[i]) for patterns in layers.values()),
        ]
        for i in range(study.n_images)
    )
    return header, rows


def _verdict(found: LayerVerdict) -> dict[str, Any]:
    return {
        "verdict": found.word,
        "n_patterns": found.n_patterns,
        "coverage": round(found.coverage, 4),
        "n_islands": found.n_islands,
        "parted": round(found.parted, 4),
        "clumping": round(found.clumping, 4),
        "by_chance": {
            "n_patterns": found.chance_n_patterns.tolist(),
            "coverage": found.chance_coverage.round(4).tolist(),
            "parted": found.chance_parted.round(4).tolist(),
        },
    }


def finding_rows(study: Study, found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings, the most serious first, as plain values: images by their ids, the way to the evidence."""
    return [
        {
            "kind": one.kind,
            "sentence": one.sentence,
            "score": round(one.score, 4),
            "layer": one.layer,
            "pattern": None if one.pattern == NOISE else one.pattern,
            "link": one.link,
            "figures": {name: round(value, 4) for name, value in one.figures.items()},
            "images": [study.ids[i] for i in one.image],
            "notes": list(one.note),
        }
        for one in found
    ]


def finding_words(study: Study, found: Iterable[Finding]) -> str:
    """Return findings as lines to read: kind, sentence, the way to the evidence."""
    lines = []
    for rank, one in enumerate(found, 1):
        images = (
            f"   {len(one.image):,} images: {listed([study.ids[i] for i in one.image], 3)}" if len(one.image) else ""
        )
        lines += [f"{rank:>2}  {KINDS[one.kind]}", f"    {one.sentence}", f"    {one.link}{images}"]
    return "\n".join(lines)


def _flags(study: Study, found: Sequence[Finding]) -> Iterable[list[Any]]:
    """Yield one row per finding and image of it: image, rank, kind, layer, pattern, note."""
    for rank, one in enumerate(found, 1):
        for image, note in zip(one.image, one.note or [""] * len(one.image), strict=True):
            yield [study.ids[image], rank, one.kind, one.layer, one.pattern if one.layer else "", note]


def _seconds(study: Study, config: ClusterConfig) -> dict[str, Any]:
    """Return the seconds that each step took, as the stored results tell."""
    seconds: dict[str, Any] = {"extraction": None, "patterns": {}}
    for layer in study.layer_names:
        kept = study.store.path(study.about["keys"][layer]) / "about.json"
        if kept.exists():
            seconds["extraction"] = json.loads(kept.read_text(encoding="utf-8")).get("seconds")
        found = study.store.path(study.patterns_key(layer, config)) / "about.json"
        if found.exists():
            seconds["patterns"][layer] = json.loads(found.read_text(encoding="utf-8"))["seconds"]
    return seconds


def selection_csv(study: Study, images: Iterable[int], config: ClusterConfig | None = None) -> str:
    """Return a table with one row per image of `images`: its class, the model's answer, and for every layer that has
    patterns its pattern (-1: none) and probability.
    """
    found = {name: study.patterns(name, config) for name in study.layer_names if name not in study.problems}
    columns = [f"{name} {what}" for name in found for what in ("label", "probability")]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["image", "target", "prediction", *columns])
    for i in images:
        places = [(int(patterns.label[i]), f"{float(patterns.probability[i]):.6g}") for patterns in found.values()]
        target = named(int(study.target[i]), study.class_names)
        writer.writerow([study.ids[i], target, predicted(study, i), *chain.from_iterable(places)])
    return table.getvalue()


def selection_zip(study: Study, images: Iterable[int], config: ClusterConfig | None = None) -> bytes:
    """Return a zip archive of `images` with ``selection.csv``.

    An image is its original file where that is still there, under ``images/``, and else the study's own picture of at
    most 128 pixels, under ``thumbnails/``.
    """
    images, packed = [int(i) for i in images], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("selection.csv", selection_csv(study, images, config))
        for i in images:
            name, file = study.ids[i].lstrip("/").replace("..", "_"), study.file(i)
            if file is not None:
                archive.write(file, f"images/{name}")
            elif study.has_pictures:
                archive.writestr(f"thumbnails/{name.removesuffix('.jpg')}.jpg", study.thumbnail(i))
    return packed.getvalue()


def foreign_csv(study: Study, new: NewImages, found: Foreign) -> str:
    """Return a table with one row per new image: what the model sees in it, how strange it is by every score.

    ``as_strange`` is the share of the known images that are at least as strange; the column of a layer is what its
    three distances say together, and all scores are larger the more foreign the image.
    """
    table, by_layer = io.StringIO(), found.by_layer
    writer = csv.writer(table)
    each = chain.from_iterable((layer, *(f"{layer} {name}" for name in SHOWN)) for layer in found.layers)
    writer.writerow(["image", "prediction", "looks_foreign", "as_strange", FUSED, SOFTMAX, *each])
    for row, name in enumerate(new.ids):
        answer = "" if new.predictions is None else named(int(new.predictions.prediction[row]), study.prediction_names)
        told = [found.chance[row], found.fused[row], found.uncertainty[row]]
        told += chain.from_iterable((by_layer[i, row], *found.score[i, :, row]) for i in range(len(found.layers)))
        numbers = ["" if np.isnan(value) else f"{float(value):.6g}" for value in told]
        writer.writerow([name, answer, int(found.looks_foreign[row]), *numbers])
    return table.getvalue()
