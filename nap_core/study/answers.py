"""The model's answers beside the data set's classes, by name, as the two often number them differently."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nap_core.inputs.class_names import readable
from nap_core.study.study import Study
from nap_core.types import NOISE


def plain(name: str) -> str:
    """Return a class name without WordNet number, underscores, hyphens and capitals, where data and models differ."""
    return readable([name])[0].lower().replace("-", " ")


@lru_cache(maxsize=32)
def misclassified(study: Study) -> NDArray[np.bool_]:
    """Return [image] whether the model's answer differs from the image's class by name.

    False where either is unknown, and where the model does not have the class at all: then it could not be right.
    """
    if study.predictions is None:
        return np.zeros(study.n_images, bool)
    prediction, target = study.predictions.prediction, study.target
    answers = plain_names(study.prediction_names, int(prediction.max(initial=0)))
    classes = plain_names(study.class_names, int(target.max(initial=0)))
    known = set(answers)
    can_be_right = np.array([name in known for name in classes] + [False])  # the last is `NOISE`
    right = np.array(answers)[prediction] == np.array([*classes, ""])[target]
    wrong: NDArray[np.bool_] = (target != NOISE) & can_be_right[target] & ~right
    wrong.setflags(write=False)
    return wrong


def plain_names(names: tuple[str, ...], largest: int) -> list[str]:
    """Return the plain names of classes 0 to `largest`; a class without a name is its number."""
    return [plain(names[i]) if i < len(names) else str(i) for i in range(max(len(names), largest + 1))]
