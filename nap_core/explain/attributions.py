"""Where in an image a pattern's score comes from, by methods that know nothing of patterns, and whether they agree.

References
----------
Selvaraju et al.: Grad-CAM. ICCV 2017. Sundararajan et al.: Axiomatic attribution for deep networks (integrated
gradients). ICML 2017. Zeiler, Fergus: Visualizing and understanding convolutional networks (occlusion). ECCV 2014.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nap_core.explain.head import PatternHead
from nap_core.explain.objectives import places
from nap_core.types import Float

_STEPS = 24  # of the integral


def grad_cam(head: PatternHead, pattern: int, picture: Float) -> Float:
    """Return [image, height, width] relu(Σ_c mean gradient of the score × activation) in a layer of maps."""
    import torch

    name = head.space.layer.name
    with torch.enable_grad():
        asked = torch.from_numpy(np.array(picture, np.float32)).requires_grad_(True)
        score, seen = head.seen(asked)
        raw = seen.raw[name]
        (slope,) = torch.autograd.grad(score[:, pattern].sum(), raw)
    weight = places(slope, head.space.layer.kind).mean(2, keepdim=True)
    found = (weight * places(raw, head.space.layer.kind)).sum(1).relu().detach()
    maps: Float = found.reshape(len(found), *head.space.layer.output_shape[1:]).cpu().numpy()
    return maps


def integrated_gradients(head: PatternHead, pattern: int, picture: Float, base: Float) -> Float:
    """Return [image, height, width] the gradients on the way from `base` [channel, height, width], times the way."""
    import torch
    from captum.attr import IntegratedGradients

    asked = torch.from_numpy(np.array(picture, np.float32))
    start = torch.from_numpy(np.array(base, np.float32))[None].expand_as(asked)
    found = IntegratedGradients(head).attribute(asked, start, target=pattern, n_steps=_STEPS)
    maps: Float = found.abs().sum(1).detach().float().cpu().numpy()
    return maps


def occlusion(head: PatternHead, pattern: int, picture: Float, base: Float) -> Float:
    """Return [image, height, width] how much the score falls where a patch of an eighth of the side shows `base`."""
    import torch
    from captum.attr import Occlusion

    asked = torch.from_numpy(np.array(picture, np.float32))
    patch = max(1, max(asked.shape[2:]) // 8)
    start = torch.from_numpy(np.array(base, np.float32))[None].expand_as(asked)
    with torch.no_grad():
        found = Occlusion(head).attribute(
            asked,
            sliding_window_shapes=(asked.shape[1], 2 * patch, 2 * patch),
            strides=(asked.shape[1], patch, patch),
            baselines=start,
            target=pattern,
        )
    maps: Float = found.sum(1).relu().float().cpu().numpy()
    return maps


METHODS: dict[str, tuple[str, Callable[[PatternHead, int, Float, Float], Float]]] = {
    "gradients": ("Integrated gradients", integrated_gradients),
    "occlusion": ("Occlusion", occlusion),
}
"""Name → title, and the method; each gives maps at the pictures' size."""


def agreement(one: NDArray[np.floating], other: NDArray[np.floating], share: float = 0.2) -> NDArray[np.float64]:
    """Return [image] the overlap (intersection over union) of the `share` of places where each map is largest.

    Parameters
    ----------
    one, other
        [image, height, width] of the same size.
    """
    a, b = (_largest(np.asarray(maps).reshape(len(maps), -1), share) for maps in (one, other))
    found: NDArray[np.float64] = (a & b).sum(axis=1) / np.maximum((a | b).sum(axis=1), 1)
    return found


def _largest(rows: NDArray[np.floating], share: float) -> NDArray[np.bool_]:
    n = max(1, round(share * rows.shape[1]))
    chosen = np.zeros(rows.shape, bool)
    np.put_along_axis(chosen, np.argsort(-rows, axis=1, kind="stable")[:, :n], True, axis=1)
    return chosen
