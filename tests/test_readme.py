"""The README's Python runs as printed, and its table holds what the shipped study says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nap_core.inputs.demos import factors
from nap_core.patterns.agreement import adjusted_mutual_information
from nap_core.study import Study

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_way(tmp_path, monkeypatch, capsys):
    import torch
    from safetensors.torch import save_file
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    save_file(squeezenet1_1().state_dict(), tmp_path / "weights.safetensors")
    drawn = np.random.default_rng(0)
    for number in range(24):
        file = tmp_path / "photos" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_table_of_the_shapes_demo():
    study, truth = Study.demo("shapes"), factors("shapes")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+)% \| (.+) \|$", README, re.MULTILINE)
    assert [row[0] for row in rows] == list(study.layer_names)
    for layer, n_patterns, coverage, scores in rows:
        patterns = study.patterns(layer)
        assert int(n_patterns) == patterns.n_patterns
        assert int(coverage) == round(100 * patterns.coverage)
        for factor, score in zip(("shape", "colour", "texture", "watermark"), scores.split(" | "), strict=True):
            found = adjusted_mutual_information(patterns.label, truth[factor])
            assert found == pytest.approx(float(score), abs=0.0051)


def test_both_commands_are_on_the_first_screen():
    first = "\n".join(README.splitlines()[:30])
    assert "pip install -r requirements.txt && streamlit run app.py" in first
    assert "pip install -r tests/requirements.txt && python -m pytest" in first
