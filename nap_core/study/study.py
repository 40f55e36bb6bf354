"""A study: one model, one set of images, some layers, and everything found; a folder that can be handed on.

The only place where methods meet the cache: ask for a result, and it is read, or computed and kept. Opening a study
and reading what is in it needs neither torch nor hdbscan.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.activations.single_unit import of_unit
from nap_core.configs import RECIPES, ClusterConfig, of_sample
from nap_core.errors import NotFiniteError, StudyError, TooFewImagesError, UnknownLayerError, listed
from nap_core.flows import flow
from nap_core.inputs.class_names import names_by_number, readable
from nap_core.keys import digest
from nap_core.patterns.summary import LayerSummary, summarise
from nap_core.store import Store, write_json
from nap_core.study.folder import FORMAT, unpacked_demo
from nap_core.study.making import write_imported_study, write_network_study
from nap_core.types import Activations, CondensedTree, Flow, Int, LayerInfo, Patterns, Predictions, Progress

if TYPE_CHECKING:
    from distributed import Client

    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network

PATTERNS_VERSION = 2  # raised when the meaning of stored patterns changes
SUMMARY_VERSION = 1
_TREE = [field.name for field in fields(CondensedTree)]
_PATTERN_ARRAYS = [field.name for field in fields(Patterns) if field.name not in ("layer", "tree")]


class Study:
    """A study in a folder.

    Parameters
    ----------
    folder
        Folder of an existing study.

    Raises
    ------
    StudyError
        If there is no study, or one of another version.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.about = self._read_about()
        self.store = Store(self.folder / "results")

    @classmethod
    def open(cls, folder: Path | str) -> Study:
        """Open an existing study."""
        return cls(folder)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        network: Network,
        images: ImageSet,
        layers: Sequence[LayerInfo],
        *,
        pooling: str = "mean",
        precision: str = "float32",
        config: ClusterConfig = RECIPES["covering"],
        title: str = "",
        progress: Progress | None = None,
    ) -> Study:
        """Write down what is to be studied; `run` does the work. Results already in `folder` are used again."""
        how: dict[str, Any] = {"pooling": pooling, "precision": precision, "config": config, "title": title}
        write_network_study(Path(folder), network, images, layers, **how, progress=progress)
        return cls(folder)

    @classmethod
    def from_activations(
        cls,
        folder: Path | str,
        values: Mapping[str, NDArray[Any]],
        *,
        ids: Sequence[str] = (),
        targets: Sequence[int] = (),
        config: ClusterConfig = RECIPES["covering"],
        title: str = "activations made elsewhere",
    ) -> Study:
        """Make a study of activations that were made elsewhere: one array ``[image, feature]`` per layer."""
        write_imported_study(Path(folder), values, ids=ids, targets=targets, config=config, title=title)
        return cls(folder)

    @classmethod
    def demo(cls, name: str) -> Study:
        """Open the shipped study of a demo; needs no torch.

        Raises
        ------
        UnknownNameError
            If there is no such demo.
        """
        return cls(unpacked_demo(name))

    def _read_about(self) -> dict[str, Any]:
        path = self.folder / "study.json"
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StudyError(
                f"There is no study in {self.folder}: study.json is missing. "
                "Give the folder that a run wrote with --study."
            ) from None
        except (OSError, ValueError) as error:
            raise StudyError(f"The study in {self.folder} cannot be read ({error}); run it again.") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            came = about.get("format", "none") if isinstance(about, dict) else "none"
            raise StudyError(
                f"The study in {self.folder} has format {came}, this version reads {FORMAT}; run the study again."
            )
        return {"precision": "float32", **about}

    # ---- what was studied

    @property
    def title(self) -> str:
        """The study in a few words."""
        return str(self.about["title"])

    @cached_property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The chosen layers, in execution order."""
        return tuple(
            LayerInfo(**{**layer, "output_shape": tuple(layer["output_shape"])}) for layer in self.about["layers"]
        )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the chosen layers, in execution order."""
        return tuple(layer.name for layer in self.layers)

    @cached_property
    def images(self) -> dict[str, Any]:
        """What is known of the images: source, ids, target, class_names, skipped."""
        return dict(json.loads((self.folder / "images.json").read_text(encoding="utf-8")))

    @property
    def n_images(self) -> int:
        """Number of images."""
        return int(self.about["n_images"])

    @cached_property
    def ids(self) -> list[str]:
        """[image] names of the images."""
        return list(self.images["ids"])

    @cached_property
    def target(self) -> Int:
        """[image] the data set's own class, or NOISE."""
        return np.asarray(self.images["target"], np.int32)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the data set's classes, as people write them; empty where it has none."""
        return readable(self.images["class_names"])

    @property
    def config(self) -> ClusterConfig:
        """The clustering that the study was run with."""
        return ClusterConfig(**self.about["config"])

    @property
    def problems(self) -> dict[str, str]:
        """Layer → why it has no patterns."""
        return dict(self.about.get("problems", {}))

    @property
    def is_finished(self) -> bool:
        """Whether every chosen layer has its activations."""
        return all(self.store.path(self.about["keys"][name]).is_dir() for name in self.layer_names)

    @cached_property
    def _thumbnails(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
        try:
            return (
                np.load(self.folder / "thumbnails.npy", mmap_mode="r", allow_pickle=False),
                np.load(self.folder / "thumbnail_ends.npy", allow_pickle=False),
            )
        except FileNotFoundError:
            return None

    @property
    def has_pictures(self) -> bool:
        """Whether the images can be shown; activations made elsewhere come without."""
        return self._thumbnails is not None

    def thumbnail(self, image: int) -> bytes:
        """Return a JPEG of an image, at most 128 pixels wide and high; empty where there are no pictures."""
        if self._thumbnails is None:
            return b""
        blob, ends = self._thumbnails
        return blob[ends[image - 1] if image else 0 : ends[image]].tobytes()

    def file(self, image: int) -> Path | None:
        """Return the file that an image was read from, while it is there and has the size that it had."""
        path, size = (self.images.get("files") or [[]] * self.n_images)[image] or ("", 0)
        return Path(path) if path and Path(path).is_file() and Path(path).stat().st_size == size else None

    # ---- what was found

    def activations_key(self, layer: str) -> str:
        """Return the key of a layer's activations; every result made of them has it in its own key.

        ``layer:unit`` names a single unit of a layer, which has patterns of its own.

        Raises
        ------
        UnknownLayerError
            If the layer is not part of the study.
        """
        whole, unit = self._whole(layer)
        key = str(self.about["keys"][whole])
        return key if unit is None else digest("unit", activations=key, unit=unit)

    def _whole(self, layer: str) -> tuple[str, int | None]:
        """Return the layer of the study, and the unit that the name picks out of it."""
        whole, colon, unit = layer.rpartition(":")
        if layer in self.about["keys"]:
            return layer, None
        if colon and unit.isdigit() and whole in self.layer_names:
            return whole, int(unit)
        raise UnknownLayerError(
            f"No layer '{layer}' in this study; it has {listed(self.layer_names)}. Choose one, or run again with it."
        )

    def activations(self, layer: str) -> Activations:
        """Return a layer's raw pooled activations, memory-mapped; of a single unit those of its features.

        Raises
        ------
        UnknownLayerError, UnknownUnitError
            If the layer is not part of the study, or has no such unit.
        StudyError
            If the run has not reached it.
        """
        from nap_core.activations.extract import load_activations

        whole, unit = self._whole(layer)
        found = load_activations(self.store, self.activations_key(whole))
        if found is None:
            raise StudyError(f"Layer '{whole}' has no activations yet; run the study to the end.")
        return found if unit is None else of_unit(found, unit)

    @cached_property
    def predictions(self) -> Predictions | None:
        """The model's own answers, or None where it gives no classes."""
        from nap_core.activations.extract import load_predictions
        from nap_core.activations.reading import PREDICTIONS

        key = self.about["keys"].get(PREDICTIONS)
        return load_predictions(self.store, key) if key else None

    @cached_property
    def prediction_names(self) -> tuple[str, ...]:
        """Names of the model's classes, as people write them; the images' where the model's have none and agree."""
        names, answers = self.about["class_names"], self.predictions
        if not names and answers is not None:
            names = names_by_number(answers.prediction, self.target, self.images["class_names"])
        return readable(names)

    def patterns_key(self, layer: str, config: ClusterConfig | None = None) -> str:
        """Return the key of the patterns of `layer` under `config`."""
        config = self.fitting(layer, config or self.config)
        content = {"activations": self.activations_key(layer), "config": config, **of_sample(config)}
        return digest("patterns", version=PATTERNS_VERSION, **content)

    def fitting(self, layer: str, config: ClusterConfig) -> ClusterConfig:
        """Return the clustering as it is done: one number per image has no angle, and needs no reduction or graph."""
        pooled = self._whole(layer)[1] is not None and self.about["pooling"] != "none"
        return replace(config, row_l2=False, reduction="none", hierarchy="density") if pooled else config

    def has_patterns(self, layer: str, config: ClusterConfig | None = None) -> bool:
        """Whether the patterns can be read at once."""
        return self.store.path(self.patterns_key(layer, config)).is_dir()

    def patterns(self, layer: str, config: ClusterConfig | None = None) -> Patterns:
        """Return a layer's patterns, computed when they are asked for the first time.

        Raises
        ------
        NotFiniteError, TooFewImagesError
            If the layer's activations cannot be grouped.
        """
        key, config = self.patterns_key(layer, config), self.fitting(layer, config or self.config)
        entry = self.store.get(key)
        if entry is None:
            from nap_core.patterns.clustering import find_patterns

            began = time.perf_counter()
            arrays = _arrays(find_patterns(self.activations(layer), config))
            seconds = round(time.perf_counter() - began, 3)
            entry = self.store.put(key, arrays, kind="patterns", layer=layer, config=asdict(config), seconds=seconds)
        tree = CondensedTree(**{name: entry.arrays[f"tree_{name}"] for name in _TREE})
        return Patterns(layer=layer, tree=tree, **{name: entry.arrays[name] for name in _PATTERN_ARRAYS})

    def summary(self, layer: str, config: ClusterConfig | None = None) -> LayerSummary:
        """Return the figures of a layer's patterns; kept, as the agreement with the classes takes its time."""
        key = digest("summary", patterns=self.patterns_key(layer, config), target=self.target, version=SUMMARY_VERSION)
        entry = self.store.get(key)
        if entry is None:
            found = summarise(self.patterns(layer, config), self.target)
            entry = self.store.put(key, {}, kind="summary", **asdict(found))
        return LayerSummary(**{field.name: entry.about[field.name] for field in fields(LayerSummary)})

    def flow(self, source: str, target: str, config: ClusterConfig | None = None) -> Flow:
        """Return the images that the patterns of two layers share."""
        return flow(self.patterns(source, config), self.patterns(target, config))

    # ---- doing the work

    def extract(
        self,
        network: Network,
        images: ImageSet,
        *,
        device: str = "auto",
        batch_size: int = 32,
        client: Client | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Run the images through the model, here or on Dask's workers; a stopped run goes on where it stopped."""
        from nap_core.activations.extract import extract

        extract(
            network,
            images,
            self.layer_names,
            store=self.store,
            pooling=self.about["pooling"],
            precision=self.about["precision"],
            device=device,
            batch_size=batch_size,
            client=client,
            progress=progress,
        )

    def cluster(
        self, config: ClusterConfig | None = None, *, n_jobs: int = 1, progress: Progress | None = None
    ) -> dict[str, str]:
        """Find the patterns of every layer, `n_jobs` layers side by side; return layer → why it has none.

        A layer that cannot be grouped does not stop the others.
        """
        import joblib

        config = config or self.config
        todo = [name for name in self.layer_names if not self.has_patterns(name, config)]
        work = joblib.Parallel(n_jobs=max(1, min(n_jobs, len(todo))), return_as="generator")
        problems, done = {}, len(self.layers) - len(todo)
        if progress:
            progress(done, len(self.layers))
        for name, problem in zip(
            todo, work(joblib.delayed(_cluster)(self.folder.resolve(), name, config) for name in todo), strict=True
        ):
            done += 1
            if problem:
                problems[name] = problem
            if progress:
                progress(done, len(self.layers))
        if config == self.config:
            self.about["problems"] = problems
            write_json(self.folder / "study.json", self.about)
        return problems


def _arrays(patterns: Patterns) -> dict[str, NDArray[Any]]:
    arrays = {name: getattr(patterns, name) for name in _PATTERN_ARRAYS}
    return arrays | {f"tree_{name}": getattr(patterns.tree, name) for name in _TREE}


def _cluster(folder: Path, layer: str, config: ClusterConfig) -> str:
    """Compute and store one layer's patterns and figures; return why there are none, or nothing. Runs in a worker."""
    study = Study(folder)
    try:
        study.summary(layer, config)
    except (NotFiniteError, TooFewImagesError) as error:
        return str(error)
    return ""
