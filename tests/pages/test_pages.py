"""Every page alone, as AppTest runs it: the demo, nothing there yet, an unknown study, one interaction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nap_core.study import Study

PAGES = Path(__file__).resolve().parents[2] / "pages"
READING = ("overview.py", "patterns.py", "flows.py", "compare.py")


def opened(name: str, **state: object) -> AppTest:
    test = AppTest.from_file(str(PAGES / name), default_timeout=120)
    for key, value in state.items():
        test.session_state[key] = value
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(element.value for kind in (test.markdown, test.info, test.error) for element in kind)


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.glob("*.py")))
def test_page_opens_on_the_demo(name):
    test = opened(name)
    assert not test.exception
    assert test.title[0].value


def test_the_first_screen_needs_none_of_the_heavy_packages():
    study = Study.demo("shapes")
    if not all(study.has_patterns(layer) for layer in study.layer_names):
        pytest.skip("the shipped studies are older than the clustering: python -m nap_core demos")
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"test = AppTest.from_file({str(PAGES.parent / 'app.py')!r}, default_timeout=120).run();"
        "assert not test.exception and test.title[0].value;"
        "print([name for name in ('torch', 'umap', 'hdbscan', 'numba') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("demo", ["shapes", "digits"])
def test_reading_pages_show_numbers(name, demo):
    test = opened(name, study=demo)
    assert not test.exception
    assert "images" in texts(test)


@pytest.mark.parametrize("name", READING)
def test_unknown_study_is_a_sentence(name, tmp_path):
    test = opened(name, study=str(tmp_path / "gone"))
    assert not test.exception
    assert "There is no study in" in test.error[0].value
    assert "Traceback" not in test.error[0].value


def test_layers_without_model_names_the_next_step():
    assert "needs a model and images" in texts(opened("layers.py"))


def test_another_layer():
    test = opened("patterns.py")
    test.selectbox[0].set_value("stage2").run()
    assert not test.exception
    assert "`stage2`" in texts(test)


def addressed(page: str, **address: str) -> AppTest:
    test = AppTest.from_file(str(PAGES / page), default_timeout=120)
    for name, value in address.items():
        test.query_params[name] = value
    return test.run()


@pytest.mark.parametrize("pattern", ["3", "-1"])
def test_a_pattern_and_the_noise_opened(pattern):
    test = addressed("patterns.py", layer="stage4", pattern=pattern)
    assert not test.exception
    size = (Study.demo("shapes").patterns("stage4").label == int(pattern)).sum()
    assert (test.metric[0].label, test.metric[0].value) == ("Images", str(size))


def test_a_pattern_that_does_not_exist_shows_all_patterns():
    assert not addressed("patterns.py", pattern="999").metric
    assert not addressed("patterns.py", pattern="-2").metric


def test_search_keeps_only_fitting_patterns():
    test = opened("patterns.py")
    test.text_input(key="search").set_value("no such thing").run()
    assert "No pattern holds" in texts(test)
    test.text_input(key="search").set_value("heart").run()
    assert not test.exception
    assert "No pattern holds" not in texts(test)


def test_a_pattern_is_named_and_the_name_stays():
    test = addressed("patterns.py", pattern="3")
    next(field for field in test.text_input if field.label == "Name").set_value("squares")
    next(button for button in test.button if button.label == "Keep").click().run()
    assert not test.exception
    assert "Pattern 3 · squares" in test.get("html")[0].proto.body


def test_views_of_a_layer():
    test = opened("patterns.py")
    test.segmented_control(key="view").set_value("classes").run()
    assert test.dataframe[0].value["class"].tolist() == list(Study.demo("shapes").class_names)
    test.segmented_control(key="view").set_value("strongest images").run()
    assert "as a whole answers from" in texts(test)
    test.number_input(key="unit").set_value(3).run()
    assert not test.exception
    assert "Unit 3 of layer `features` answers from" in texts(test)


def test_a_unit_has_patterns_of_its_own():
    test = opened("patterns.py")
    test.number_input(key="unit").set_value(3).run()
    assert not test.exception
    assert "Unit 3 of layer `features` puts" in texts(test)


def test_a_selection_is_shown_with_the_patterns_that_hold_it():
    empty = opened("selection.py")
    assert "Nothing is selected yet" in texts(empty)
    folder = str(Study.demo("shapes").folder)
    test = opened("selection.py", selection={folder: (3, 5, 1999)})
    assert not test.exception
    assert "3 of 2,000 images" in texts(test)
    assert test.dataframe[0].value["layer"].tolist() == list(Study.demo("shapes").layer_names)
    next(button for button in test.button if button.label == "Take all out").click().run()
    assert "Nothing is selected yet" in texts(test)


def test_an_address_names_the_clustering():
    test = AppTest.from_file(str(PAGES / "patterns.py"), default_timeout=120)
    test.query_params["clustering"] = "published,min_cluster_size=20"
    test.run()
    assert test.sidebar.expander[0].label == "Clustering: published, changed"
    assert test.query_params["clustering"] == "published,min_cluster_size=20"
    test.query_params["clustering"] = "best"
    test.run()
    assert "No recipe 'best'" in test.warning[0].value


def test_the_clustering_is_chosen_in_plain_words():
    test = opened("patterns.py")
    form = {field.label: field for kind in ("selectbox", "number_input") for field in getattr(test.sidebar, kind)}
    assert not [label for label in form if "_" in label]
    assert all(field.help for label, field in form.items() if label != "Layer")
    assert "as the authors did" in form["Scaling"].options


def test_the_map_is_coloured_as_asked():
    test = opened("map.py")
    assert "images into" in texts(test)
    test.segmented_control(key="color").set_value("class").run()
    assert not test.exception
    test.sidebar.radio(key="layout").set_value("PCA").run()
    assert not test.exception
    assert any("most" in caption.value for caption in test.caption)
