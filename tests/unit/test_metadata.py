"""Columns of a CSV find their images by id or file name."""

from __future__ import annotations

import numpy as np
import pytest

from nap_core.errors import InputError
from nap_core.inputs.metadata import read_metadata

IDS = ["cats/a.jpg", "cats/b.jpg", "dogs/c.jpg"]


def table(folder, text, name="about.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_numbers_and_names(tmp_path, mark):
    rows = [["file", "age", "camera"], ["c.jpg", "3", "old"], ["cats/a.jpg", "1.5", ""], ["other.jpg", "9", "x"]]
    found = read_metadata(table(tmp_path, "\n".join(mark.join(row) for row in rows)), IDS)
    np.testing.assert_array_equal(found["age"], [1.5, np.nan, 3])
    assert found["camera"].tolist() == ["", "", "old"]
    assert set(found) == {"age", "camera"}


def test_the_id_column_can_be_named(tmp_path):
    path = table(tmp_path, "id,picture,site\n1,a.jpg,north\n2,b.jpg,south\n")
    found = read_metadata(path, IDS, id_column="picture")
    assert found["site"].tolist() == ["north", "south", ""]
    with pytest.raises(InputError, match="no column 'x'; it has id, picture, site"):
        read_metadata(path, IDS, id_column="x")


def test_a_number_that_is_none_makes_names(tmp_path):
    found = read_metadata(table(tmp_path, "file,age\na.jpg,3\nb.jpg,old\n"), IDS)
    assert found["age"].tolist() == ["3", "old", ""]


def test_a_short_row_is_unknown_where_it_ends(tmp_path):
    found = read_metadata(table(tmp_path, "file,age,site\na.jpg,3,north\nb.jpg,4\n"), IDS)
    assert found["site"].tolist() == ["north", "", ""]


def test_of_two_files_of_one_name_the_whole_id_decides(tmp_path):
    ids = ["x/a.jpg", "y/a.jpg"]
    found = read_metadata(table(tmp_path, "file,n\nx/a.jpg,1\ny/a.jpg,2\n"), ids)
    assert found["n"].tolist() == [1, 2]


def test_no_row_fits(tmp_path):
    with pytest.raises(InputError, match=r"No row of about.csv belongs to an image.*zebra.*cats/a.jpg"):
        read_metadata(table(tmp_path, "file,age\nzebra,3\n"), IDS)


@pytest.mark.parametrize("text", ["", "file,age\n", "file\na.jpg\n"])
def test_no_table(tmp_path, text):
    with pytest.raises(InputError, match="needs a line of column names"):
        read_metadata(table(tmp_path, text), IDS)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "about.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read"):
        read_metadata(path, IDS)
    with pytest.raises(InputError, match="cannot be read"):
        read_metadata(tmp_path / "gone.csv", IDS)
