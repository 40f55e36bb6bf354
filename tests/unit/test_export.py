"""What a selection is taken away as: a table, and files."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from nap_core.activations.extract import network_layers
from nap_core.export import export, selection_csv, selection_zip
from nap_core.inputs.demos import demo_network
from nap_core.inputs.images import load_images
from nap_core.patterns.unplaced import KINDS
from nap_core.study import Study
from nap_core.study.findings import findings
from nap_core.study.judgement import known_unplaced
from nap_core.study.quality import known_quality


def test_table_has_every_layers_pattern_of_every_image():
    study = Study.demo("digits")
    rows = list(csv.DictReader(io.StringIO(selection_csv(study, [3, 1500]))))
    assert [row["image"] for row in rows] == [study.ids[3], study.ids[1500]]
    for name in study.layer_names:
        assert [int(row[f"{name} label"]) for row in rows] == study.patterns(name).label[[3, 1500]].tolist()
    assert rows[0]["target"] == study.class_names[study.target[3]]


def test_files_of_a_study_without_files_are_its_thumbnails():
    study = Study.demo("digits")
    with zipfile.ZipFile(io.BytesIO(selection_zip(study, [7]))) as archive:
        assert sorted(archive.namelist()) == ["selection.csv", f"thumbnails/{study.ids[7]}.jpg"]
        assert archive.read(f"thumbnails/{study.ids[7]}.jpg") == study.thumbnail(7)


def test_everything_that_is_said_of_an_image_is_in_the_tables(tmp_path):
    study = Study.demo("shapes")
    export(study, tmp_path)
    images = list(csv.DictReader((tmp_path / "images.csv").open(encoding="utf-8")))
    found = findings(study)
    first = set(found[0].image.tolist())
    assert [i for i, row in enumerate(images) if f"1 {found[0].kind}" in row["findings"].split("; ")] == sorted(first)
    strange = np.array([float(row["as_strange"]) for row in images])
    assert abs((strange <= 0.05).mean() - 0.05) < 0.005
    rows = list(csv.DictReader((tmp_path / "stage4" / "patterns.csv").open(encoding="utf-8")))
    patterns, sure, lost = study.patterns("stage4"), known_quality(study, "stage4"), known_unplaced(study, "stage4")
    at = int(np.flatnonzero(patterns.label == 7)[0])
    assert float(rows[at]["stability"]) == pytest.approx(sure.stability[7], abs=1e-3)
    assert rows[at]["near"] == rows[at]["how_far"] == ""
    noise = rows[lost.image[0]]
    assert (noise["label"], noise["stability"]) == ("-1", "")
    assert int(noise["near_first"]) == lost.first[0]
    assert noise["near"] == KINDS[lost.kind[0]]


@pytest.fixture
def photographed(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(8):
        Image.fromarray(np.full((64, 64, 3), 30 * i, np.uint8)).save(pictures / f"{i}.png")
    network, images = demo_network("shapes"), load_images(pictures)
    study = Study.create(tmp_path / "study", network, images, network_layers(network, images)[:1])
    study.about["problems"] = {study.layer_names[0]: "not run"}
    return study, pictures


def test_files_that_are_still_there_are_taken_as_they_are(photographed):
    study, pictures = photographed
    (pictures / "1.png").write_bytes(b"another file now")
    (pictures / "2.png").unlink()
    with zipfile.ZipFile(io.BytesIO(selection_zip(study, range(3)))) as archive:
        assert sorted(archive.namelist()) == [
            "images/0.png",
            "selection.csv",
            "thumbnails/1.png.jpg",
            "thumbnails/2.png.jpg",
        ]
        assert archive.read("images/0.png") == (pictures / "0.png").read_bytes()
