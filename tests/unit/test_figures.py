"""Figures hold every number that they are given."""

from __future__ import annotations

import numpy as np

from nap_core.figures import probability_figure


def test_every_probability_is_in_a_bar_that_is_seen():
    probability = np.r_[np.zeros(3), np.linspace(0, 1, 50), np.ones(40)].astype(np.float32)
    figure = probability_figure(probability)
    bars = figure.data[0]
    low, high = figure.layout.xaxis.range
    assert sum(bars.y) == len(probability)
    assert bars.y[-1] >= 40
    assert ((np.array(bars.x) > low) & (np.array(bars.x) < high)).all()
