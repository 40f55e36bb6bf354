"""Names and notes that a reader gives to patterns, kept with the study in ``notes.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from nap_core.configs import ClusterConfig
from nap_core.errors import StudyError
from nap_core.store import write_json
from nap_core.study.study import Study

LONGEST_NAME, LONGEST_NOTE = 60, 2000


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader calls a pattern and says of it; either may be empty."""

    name: str = ""
    note: str = ""


def read_notes(study: Study, layer: str, config: ClusterConfig | None = None) -> dict[int, Note]:
    """Return pattern → note of a layer's patterns under `config`.

    Raises
    ------
    StudyError
        If ``notes.json`` cannot be read.
    """
    notes = _all_notes(study).get(study.patterns_key(layer, config), {})
    return {int(pattern): Note(str(kept["name"]), str(kept["note"])) for pattern, kept in notes.items()}


def write_note(study: Study, layer: str, pattern: int, note: Note, config: ClusterConfig | None = None) -> None:
    """Keep a note with the study; an empty one takes the old one away."""
    notes = _all_notes(study)
    of_layer = notes.setdefault(study.patterns_key(layer, config), {})
    of_layer.pop(str(pattern), None)
    if note.name.strip() or note.note.strip():
        of_layer[str(pattern)] = asdict(Note(note.name.strip()[:LONGEST_NAME], note.note.strip()[:LONGEST_NOTE]))
    write_json(study.folder / "notes.json", notes)


def _all_notes(study: Study) -> dict[str, dict[str, dict[str, str]]]:
    path = study.folder / "notes.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{path} cannot be read ({error}); repair it, or remove it and lose the names in it."
        ) from error
