"""Words that sentences are made of."""

from __future__ import annotations

import pytest

from nap_core.errors import counted


@pytest.mark.parametrize(
    ("n", "noun", "told"),
    [(1, "image", "1 image"), (2000, "image", "2,000 images"), (0, "class", "0 classes"), (1, "class", "1 class")],
)
def test_a_number_with_its_noun(n, noun, told):
    assert counted(n, noun) == told
