"""What a selection is taken away as: a table, and files."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nap_core.activations.extract import network_layers
from nap_core.configs import RECIPES
from nap_core.export import export, selection_csv, selection_zip
from nap_core.inputs.demos import demo_network
from nap_core.inputs.images import load_images
from nap_core.patterns.unplaced import KINDS
from nap_core.study import Study
from nap_core.study.findings import findings
from nap_core.study.judgement import layer_unplaced
from nap_core.study.quality import quality


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
    random = np.random.default_rng(0)
    group = np.arange(160) % 4
    rows = 2 * random.normal(size=(4, 12))[group] + random.normal(size=(160, 12))
    rows[::32] = 8 * random.normal(size=(5, 12))
    config = replace(RECIPES["covering"], hierarchy="density", reduction="pca", min_cluster_size=8)
    study = Study.from_activations(tmp_path / "study", {"fc": rows, "again": rows}, targets=group, config=config)
    sure, lost, patterns = quality(study, "fc"), layer_unplaced(study, "fc"), study.patterns("fc")
    export(study, tmp_path / "out")
    images = list(csv.DictReader((tmp_path / "out" / "images.csv").open(encoding="utf-8")))
    for rank, one in enumerate(findings(study), 1):
        named = [i for i, row in enumerate(images) if f"{rank} {one.kind}" in row["findings"].split("; ")]
        assert named == sorted(one.image.tolist())
    strange = np.array([float(row["as_strange"]) for row in images])
    assert (strange <= 0.05).sum() == 8
    told = list(csv.DictReader((tmp_path / "out" / "fc" / "patterns.csv").open(encoding="utf-8")))
    member, noise = int(patterns.members(0)[0]), int(lost.image[0])
    assert float(told[member]["stability"]) == pytest.approx(sure.stability[0], abs=1e-3)
    assert told[member]["is_apart"] == str(int(sure.is_apart[0]))
    assert told[member]["near"] == told[member]["how_far"] == ""
    assert (told[noise]["label"], told[noise]["stability"]) == ("-1", "")
    assert (told[noise]["near"], int(told[noise]["near_first"])) == (KINDS[lost.kind[0]], lost.first[0])


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
