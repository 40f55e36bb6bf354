"""The command line is a contract: what it takes, what it writes, and how it says no."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from nap_core.__main__ import main
from nap_core.inputs.demos import demo_network
from nap_core.study import Study
from nap_core.study.own_network import is_network_of

ROWS = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(4), 30)


@pytest.fixture
def archive(tmp_path):
    centre = ROWS.normal(size=(4, 16)) * 8
    values = (centre[GROUPS] + ROWS.normal(size=(120, 16))).astype(np.float32)
    path = tmp_path / "acts.npz"
    np.savez(path, one=values, two=values[:, ::-1] * 2, targets=GROUPS)
    return path


def test_activations_made_elsewhere_to_plain_files(archive, tmp_path, capsys):
    study, out = tmp_path / "study", tmp_path / "out"
    assert (
        main(["run", "--activations", str(archive), "--study", str(study), "--recipe", "published", "--jobs", "1"]) == 0
    )
    assert "two" in capsys.readouterr().out
    assert main(["export", str(study), "--to", str(out)]) == 0
    rows = list(csv.DictReader((out / "one" / "patterns.csv").open(encoding="utf-8")))
    first = "image,target,prediction,label,probability,outlier_score,assigned,assigned_probability"
    assert ",".join(rows[0]) == f"{first},stability,is_apart,near,near_first,near_second,how_far"
    assert {row["stability"] for row in rows} == {""}  # not asked for yet
    images = list(csv.DictReader((out / "images.csv").open(encoding="utf-8")))
    assert [row["one"] for row in images] == [row["label"] for row in rows]
    assert all(0 < float(row["as_strange"]) <= 1 for row in images)
    assert len(rows) == 120
    assert np.load(out / "one" / "activations.npy").dtype == np.float32
    described = json.loads((out / "one" / "patterns.json").read_text(encoding="utf-8"))
    assert sum(pattern["size"] for pattern in described) == sum(row["label"] != "-1" for row in rows)
    assert {"size", "persistence", "medoid", "exemplars", "members"} <= set(described[0])
    flows = list(csv.DictReader((out / "flows.csv").open(encoding="utf-8")))
    assert sum(int(row["count"]) for row in flows) == 120
    told = json.loads((out / "study.json").read_text(encoding="utf-8"))
    assert {"model", "images", "config", "versions", "seconds"} <= set(told)


def test_nan_is_said_and_the_other_layers_are_kept(tmp_path, capsys):
    values = ROWS.normal(size=(60, 5)).astype(np.float32)
    broken = values.copy()
    broken[3, 1] = np.nan
    np.savez(tmp_path / "a.npz", good=values, broken=broken)
    study = tmp_path / "study"
    assert main(["run", "--activations", str(tmp_path / "a.npz"), "--study", str(study), "--recipe", "published"]) == 2
    said = capsys.readouterr()
    assert "broken" in said.err
    assert "good" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "gone", "--to", "x"], "no study"),
        (["run", "--study", "s"], "needs --images"),
        (["run", "--study", "s", "--activations", "gone.npz"], "no file"),
        (["run", "--study", "s", "--demo", "shapes", "--layers", "conv9"], "No layer 'conv9'"),
        (["run", "--study", "s", "--demo", "digits", "--min-cluster-size", "5000"], "make a pattern of at least 5000"),
        (["layers", "--model", "resnet"], "No model 'resnet'"),
        (["foreign", "gone", "--leave-out", "8"], "There is no study in gone"),
        (["unpack", "gone.zip", "s"], "There is no file 'gone.zip'"),
        (["pack", "gone", "s.zip"], "There is no study in gone"),
    ],
)
def test_bad_input_is_a_sentence_and_status_2(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_study_goes_into_a_file_and_out_again(tmp_path, capsys):
    study = Study.demo("digits")
    assert main(["pack", str(study.folder), str(tmp_path / "digits.zip")]) == 0
    assert main(["unpack", str(tmp_path / "digits.zip"), str(tmp_path / "again")]) == 0
    assert "streamlit run app.py" in capsys.readouterr().out
    assert Study.open(tmp_path / "again").about == study.about


def test_how_foreign_images_are_is_told_and_written(tmp_path, capsys):
    study, out = str(Study.demo("digits").folder), tmp_path / "scores.csv"
    assert main(["foreign", study, "--leave-out", "8", "9", "--to", str(out)]) == 0
    said = capsys.readouterr()
    assert "of 354 images look foreign: at most 5% of 1,443 known images" in said.out
    fused = next(line.split() for line in said.out.splitlines() if "fused" in line)
    assert float(fused[3]) >= 0.97
    assert float(fused[4]) <= float(fused[3]) <= float(fused[6])
    assert "layers: 5 of 5" in said.err
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert len(rows) == 354
    assert {"image", "looks_foreign", "as_strange", "fused", "uncertainty", "stage3", "stage3 outlier"} <= set(rows[0])
    assert all((row["looks_foreign"] == "1") == (float(row["as_strange"]) <= 0.05) for row in rows)


def test_new_pictures_go_through_the_network_beside_known_ones(tmp_path, capsys):
    from nap_core.inputs.demos import demo_images

    for name, demo, images in (("strange", "shapes", range(30)), ("known", "digits", range(40))):
        (tmp_path / name).mkdir()
        for image in images:
            demo_images(demo).picture(image).save(tmp_path / name / f"{image}.png")
    study = str(Study.demo("digits").folder)
    assert main(["foreign", study, "--images", str(tmp_path / "strange"), "--known", str(tmp_path / "known")]) == 0
    said = capsys.readouterr()
    assert "30 of 30 images look foreign" in said.out
    assert "Of 40 images of known kinds" in said.out
    assert "new images of known kinds with (AUROC" in said.out
    assert "activations: 30 of 30" in said.err


def test_the_number_format_is_in_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr("nap_core.activations.devices.precisions", lambda _: ("float32", "bfloat16"))
    arguments = ["run", "--demo", "digits", "--limit", "60", "--layers", "stage2", "--device", "cpu"]
    for name in ("float32", "bfloat16"):
        assert main([*arguments, "--study", str(tmp_path / name), "--precision", name]) == 0
    exact, coarse = (Study.open(tmp_path / name) for name in ("float32", "bfloat16"))
    assert (exact.about["precision"], coarse.about["precision"]) == ("float32", "bfloat16")
    assert exact.activations_key("stage2") != coarse.activations_key("stage2")
    assert is_network_of(coarse, demo_network("digits"))


def test_help_needs_no_torch():
    code = "import sys; from nap_core.command_line import parser; parser().format_help(); print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_built_in_study_opens_without_the_heavy_packages():
    code = (
        "import sys; from nap_core.study import Study; s = Study.demo('digits'); s.patterns('features'); s.predictions;"
        "print([name for name in ('torch', 'umap', 'hdbscan') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.slow
def test_real_photos(shared_data, tmp_path):
    from sklearn.metrics import adjusted_mutual_info_score

    study, out = tmp_path / "study", tmp_path / "out"
    run = ["run", "--weights", str(shared_data / "models/mobilenet_v2_a_fp16.safetensors")]
    run += ["--images", str(shared_data / "images/imagenet_multi"), "--layers", "features.13", "features.18"]
    assert main([*run, "--study", str(study)]) == 0
    assert main(["export", str(study), "--to", str(out)]) == 0
    rows = list(csv.DictReader((out / "features.18" / "patterns.csv").open(encoding="utf-8")))
    target, label, assigned = ([row[name] for row in rows] for name in ("target", "label", "assigned"))
    assert len(rows) == 1206
    assert np.mean([number != "-1" for number in label]) >= 0.75
    assert adjusted_mutual_info_score(target, label) >= 0.42
    assert adjusted_mutual_info_score(target, assigned) >= 0.47


def test_findings_as_words_and_as_json(archive, tmp_path, capsys):
    study, out = tmp_path / "study", tmp_path / "out"
    main(["run", "--activations", str(archive), "--study", str(study), "--recipe", "published", "--jobs", "1"])
    capsys.readouterr()
    assert main(["findings", str(study)]) == 0
    said = capsys.readouterr().out
    assert "One layer changes next to nothing: two after one" in said
    assert "patterns?layer=two" in said
    assert main(["findings", str(study), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert main(["export", str(study), "--to", str(out)]) == 0
    assert json.loads((out / "findings.json").read_text(encoding="utf-8")) == found
    flags = list(csv.DictReader((out / "findings.csv").open(encoding="utf-8")))
    assert len(flags) == sum(len(one["images"]) for one in found)
    assert main(["findings", str(tmp_path / "gone")]) == 2
