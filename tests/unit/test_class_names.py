"""Names for the numbers of a classifier's outputs, and how people read them."""

from __future__ import annotations

from nap_core.inputs.class_names import readable


def test_names_of_wordnet_become_words():
    assert readable(["n03000684_chain_saw", "star", "T-shirt/top"]) == ("chain saw", "star", "T-shirt/top")


def test_two_classes_never_get_one_name():
    names = ["n02012849_crane", "n03126707_crane", "n02123045_tabby_cat"]
    assert readable(names) == (*names[:2], "tabby cat")
    assert len(set(readable(names))) == 3
