"""Neural activation patterns: the groups of inputs that each layer of a trained network treats alike.

>>> import nap_core as nap
>>> study = nap.Study.demo("shapes")
>>> study.patterns("features").n_patterns > 0
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nap_core.activations.extract import extract as extract
    from nap_core.activations.extract import network_layers as network_layers
    from nap_core.activations.layers import suggest_layers as suggest_layers
    from nap_core.configs import ClusterConfig as ClusterConfig
    from nap_core.configs import recipe as recipe
    from nap_core.errors import NapError as NapError
    from nap_core.export import export as export
    from nap_core.flows import flow as flow
    from nap_core.inputs.images import images_from_arrays as images_from_arrays
    from nap_core.inputs.images import load_images as load_images
    from nap_core.inputs.models import load_model as load_model
    from nap_core.inputs.models import network as network
    from nap_core.patterns.clustering import find_patterns as find_patterns
    from nap_core.study import Study as Study
    from nap_core.types import NOISE as NOISE

_HOME = {
    "NOISE": "types",
    "ClusterConfig": "configs",
    "NapError": "errors",
    "Study": "study",
    "export": "export",
    "extract": "activations.extract",
    "find_patterns": "patterns.clustering",
    "flow": "flows",
    "images_from_arrays": "inputs.images",
    "load_images": "inputs.images",
    "load_model": "inputs.models",
    "network": "inputs.models",
    "network_layers": "activations.extract",
    "recipe": "configs",
    "suggest_layers": "activations.layers",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import nap_core`` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'nap_core' has no attribute '{name}'")
    return getattr(import_module(f"nap_core.{_HOME[name]}"), name)
