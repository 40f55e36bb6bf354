from __future__ import annotations

import errno
import json

import numpy as np
import pytest

from nap_core.errors import StorageFullError
from nap_core.keys import digest
from nap_core.store import Store


def test_put_and_get_give_back_the_same_arrays(tmp_path):
    store = Store(tmp_path)
    entry = store.put("ab12", {"values": np.arange(6.0).reshape(2, 3)}, kind="toy")
    assert entry.about["kind"] == "toy"
    np.testing.assert_array_equal(store.get("ab12").arrays["values"], np.arange(6.0).reshape(2, 3))
    assert not store.get("ab12").arrays["values"].flags.writeable
    assert store.get("ffff") is None


def test_compute_runs_once(tmp_path):
    calls = []
    for _ in range(2):
        Store(tmp_path).compute("ab", lambda: calls.append(1) or {"x": np.zeros(1)})
    assert calls == [1]


@pytest.mark.parametrize("broken", ["about.json", "values.npy"])
def test_unreadable_entry_is_removed_with_one_warning(tmp_path, broken):
    store = Store(tmp_path)
    store.put("ab12", {"values": np.zeros(3)})
    (store.path("ab12") / broken).write_bytes(b"junk")
    with pytest.warns(UserWarning, match="computed again"):
        assert store.get("ab12") is None
    assert store.put("ab12", {"values": np.ones(3)}).arrays["values"][0] == 1


def test_object_arrays_are_never_stored(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ValueError, match="pickle"):
        store.put("ab12", {"values": np.array([{}], dtype=object)})
    assert store.get("ab12") is None
    assert not list(tmp_path.glob(".new-*"))


def test_draft_continues_and_becomes_an_entry(tmp_path):
    store = Store(tmp_path)
    table = store.draft("k1").table("values", (4, 2), np.float32)
    table[:2] = 1
    table.flush()
    store.draft("k1").commit(2, batch_size=2)
    again = store.draft("k1")
    assert again.state == {"n_done": 2, "batch_size": 2}
    table = again.table("values", (4, 2), np.float32)
    assert table[:2].min() == 1
    table[2:] = 2
    table.flush()
    entry = store.finish("k1", ["values"], kind="toy")
    assert entry.arrays["values"].tolist() == [[1, 1], [1, 1], [2, 2], [2, 2]]
    assert not store.draft("k1").folder.exists()


def test_draft_of_another_shape_starts_again(tmp_path):
    draft = Store(tmp_path).draft("k1")
    draft.table("values", (4, 2), np.float32)
    draft.commit(2)
    draft.table("values", (5, 2), np.float32)
    assert draft.state == {}


def test_full_disk_is_a_sentence(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StorageFullError, match="disk that holds"):
        Store(tmp_path).put("ab12", {"values": np.zeros(3)})


def test_about_is_readable_by_a_person(tmp_path):
    store = Store(tmp_path)
    store.put("ab12", {"values": np.zeros(3)}, layer="Schicht ü")
    assert json.loads((store.path("ab12") / "about.json").read_text(encoding="utf-8"))["layer"] == "Schicht ü"


def test_every_field_changes_the_key():
    keys = {
        digest("a", x=1),
        digest("b", x=1),
        digest("a", x=1.0),
        digest("a", x=True),
        digest("a", x="1"),
        digest("a", y=1),
        digest("a", x=None),
        digest("a", x=[1]),
        digest("a", x=np.array([1])),
        digest("a", x=np.array([1.0])),
    }
    assert len(keys) == 10
    assert digest("a", x=1, y=2) == digest("a", y=2, x=1)
    with pytest.raises(TypeError):
        digest("a", x=object())


def test_full_disk_leaves_no_unreserved_table(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    draft = Store(tmp_path).draft("k1")
    with pytest.raises(StorageFullError, match="disk that holds"):
        draft.table("values", (4, 2), np.float32)
    assert not list(draft.folder.glob("*.npy"))
