"""How well synthetic images reach patterns, beside what their real members give.

``explain digits shapes fashion vit photos [--most N] [--ways generator fourier]``: sources of studies, all when none
is named; at most N patterns of a layer, evenly taken by number; only patterns of at least 10 members, 3 seeds each.
*hit*: nearest centroid is the pattern's. *class*: the network sees the members' commonest class, beside the share of
the members that have it; *pure* is the same over patterns of which nine members in ten have it. *nn*: median distance
to the nearest real input over the usual one. *green*, *suspicious*: what the check says. Seconds are of all
processors together, per image.
``--only figures | causes | previews | engine`` runs one part: these figures; units ablated and grafted; how long one
waits for an image; the engine beside a published recipe and over the depth of the networks.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nap_core.explain.maximize import PREVIEW_STEPS, USUAL_STEPS, maximize
from nap_core.explain.recipes import ascent
from nap_core.study import Study
from nap_core.study.evidence import pattern_causes, pattern_rule
from nap_core.study.prototypes import prototypes
from nap_core.study.synthetic import Made, bench, study_generator, wish_for
from tests.benchmarks.cases import SHARED, photo_study
from tests.benchmarks.engine import against_recipe, by_depth

if TYPE_CHECKING:
    from nap_core.inputs.models import Network

FEWEST_MEMBERS, PURE = 10, 0.9


@dataclass(frozen=True)
class Source:
    """Studies whose patterns are asked, and how."""

    layers: tuple[str, ...]
    ways: tuple[str, ...]
    make: Callable[[tuple[str, ...]], tuple[Study, Network]]


def demo(name: str) -> Callable[[tuple[str, ...]], tuple[Study, Network]]:
    from nap_core.inputs.models import load_model

    return lambda layers: (Study.demo(name), load_model(name))


def shared(name: str, images: str, n: int = 2000) -> Callable[[tuple[str, ...]], tuple[Study, Network]]:
    """A study of a network and of the first pictures of a set in the folder of real weights and pictures."""

    def made(layers: tuple[str, ...]) -> tuple[Study, Network]:
        from nap_core.activations.extract import network_layers
        from nap_core.inputs.images import load_images
        from nap_core.inputs.models import network
        from nap_core.inputs.preprocessing import Preprocessing
        from nap_core.store import cache_folder

        spec = importlib.util.spec_from_file_location("model_defs", SHARED / "models" / "model_defs.py")
        assert spec is not None
        assert spec.loader is not None
        definitions = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(definitions)
        normal = definitions.WEIGHTS[name][3]
        preprocessing = Preprocessing(None, None, normal["mean"], normal["std"], channels=1)
        found = network(definitions.load(name), preprocessing, name=name)
        pictures = load_images(SHARED / "arrays" / images).limited(n)
        chosen = [layer for layer in network_layers(found, pictures) if layer.name in layers]
        study = Study.create(cache_folder() / "benchmarks" / name, found, pictures, chosen)
        study.extract(found, pictures)
        return study, found

    return made


def photos(layers: tuple[str, ...]) -> tuple[Study, Network]:
    from nap_core.inputs.models import load_model

    network = load_model(weights=SHARED / "models" / "mobilenet_v2_a_fp16.safetensors")
    return photo_study("imagenet_multi"), network


BOTH = ("generator", "fourier")
SOURCES = {
    "digits": Source(("stage1", "stage2", "stage3", "features", "logits"), BOTH, demo("digits")),
    "shapes": Source(("stage1", "stage2", "stage3", "stage4", "features", "logits"), BOTH, demo("shapes")),
    "fashion": Source(
        ("relu1", "pool", "relu3", "linear2"), BOTH, shared("fashion_cnn", "fashion_t10k-images-idx3-ubyte.gz")
    ),
    "vit": Source(
        ("blocks.1", "blocks.3", "blocks.5", "head.fc1"), BOTH, shared("vit_mnist", "mnist_t10k-images-idx3-ubyte.gz")
    ),
    "photos": Source(("features.18",), ("fourier", "linear"), photos),
}


@dataclass
class Tally:
    """What was seen of some patterns, image by image."""

    made: list[Made]
    seconds: float

    def row(self) -> str:
        checks = [made.check for made in self.made]
        hit = np.concatenate([check.reached for check in checks])
        agreed = np.concatenate([check.has_class for check in checks])
        share = np.array([check.member_class_share for check in checks])
        pure = [check.has_class for check in checks if check.member_class_share >= PURE]
        near = np.concatenate([check.nn_ratio for check in checks])
        green = np.concatenate([np.array(check.light) == "green" for check in checks])
        return (
            f"| {len(checks)} | {hit.mean():.2f} | {agreed.mean():.2f} | {np.nanmean(share):.2f} "
            f"| {np.concatenate(pure).mean() if pure else float('nan'):.2f} | {np.median(near):.2f} "
            f"| {green.mean():.2f} | {np.mean([check.is_suspicious for check in checks]):.2f} "
            f"| {self.seconds / len(hit):.2f} |"
        )


def asked(study: Study, layer: str, most: int) -> list[int]:
    """The patterns of a layer that are asked: large enough, at most `most`, evenly taken."""
    large = np.flatnonzero(study.patterns(layer).size >= FEWEST_MEMBERS)
    return [int(k) for k in large[np.linspace(0, len(large) - 1, min(most, len(large))).astype(int)]]


def tallies(name: str, way: str, most: int) -> Iterator[tuple[str, Tally]]:
    """Layer by layer; what is in the study already was timed by an earlier run and counts no time."""
    source = SOURCES[name]
    study, network = source.make(source.layers)
    if way in ("generator", "linear"):
        began = time.process_time()
        study_generator(study, network, way)
        print(f"{name}: the {way} took {time.process_time() - began:.0f} CPU s", file=sys.stderr, flush=True)
    for layer in source.layers:
        chosen, began = asked(study, layer, most), time.process_time()
        made = list(prototypes(study, network, layer, chosen, parametrisation=way))
        if made:
            yield layer, Tally(made, time.process_time() - began)


def figures(names: list[str], ways: list[str] | None, most: int) -> None:
    """How patterns are reached, source by source and way by way."""
    print("| data | way | layer | patterns | hit | class | members' | pure | nn | green | suspicious | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        for way in ways or SOURCES[name].ways:
            whole = Tally([], 0.0)
            for layer, tally in tallies(name, way, most):
                print(f"| {name} | {way} | {layer} {tally.row()}", flush=True)
                whole.made += tally.made
                whole.seconds += tally.seconds
            print(f"| {name} | {way} | *all* {whole.row()}", flush=True)


def causal(names: list[str], most: int) -> None:
    """How many members leave when a pattern's units are ablated, beside as many random units."""
    print("\n| data | layer | patterns | left | random | median ratio | joined | random | rule precision | recall |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in names:
        study, network = SOURCES[name].make(SOURCES[name].layers)
        ratios = []
        for layer in SOURCES[name].layers:
            chosen = asked(study, layer, most)
            told = [pattern_causes(study, network, layer, pattern) for pattern in chosen]
            rules = [pattern_rule(study, layer, pattern) for pattern in chosen]
            ratios += [one.ratio for one in told]
            shares = [np.mean([getattr(one, field) for one in told]) for field in ("left", "left_random")]
            grafted = [np.mean([getattr(one, field) for one in told]) for field in ("joined", "joined_random")]
            judged = [np.nanmean([getattr(one, field) for one in rules]) for field in ("precision", "recall")]
            print(
                f"| {name} | {layer} | {len(told)} | {shares[0]:.2f} | {shares[1]:.2f} "
                f"| {np.median([one.ratio for one in told]):.1f} | {grafted[0]:.2f} | {grafted[1]:.2f} "
                f"| {judged[0]:.2f} | {judged[1]:.2f} |",
                flush=True,
            )
        print(f"| {name} | *all* | {len(ratios)} | | | {np.median(ratios):.1f} | | | | |", flush=True)


def engine(names: list[str], most: int) -> None:
    """The published recipe beside the engine, and units by depth."""
    print("\n| layer | unit | recipe | engine | ratio | recipe, s | engine, s | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        study, network = SOURCES[name].make(SOURCES[name].layers)
        layer = next(info.name for info in reversed(study.layers) if info.kind != "vector")
        n_units = next(info.n_units for info in study.layers if info.name == layer)
        units = np.linspace(0, n_units - 1, min(most, 4)).astype(int).tolist()
        for row in against_recipe(study, network, layer, units):
            print(row, flush=True)
    print("\n| layer | kind | units | silent | above every real image | level over the strongest real image's |")
    print("|---|---|---|---|---|---|")
    for name in names:
        if name != "photos":
            study, network = SOURCES[name].make(SOURCES[name].layers)
            print(f"| *{name}* | | | | | |")
            for row in by_depth(study, network, most):
                print(row, flush=True)


def previews(names: list[str], most: int) -> None:
    """Wall seconds until a preview of one image is there, and until the three usual ones are, an image."""
    import torch

    print(f"\nOn {torch.get_num_threads()} processors:\n")
    print("| data | layer | pattern | preview, s | whole, s an image |")
    print("|---|---|---|---|---|")
    for name in names:
        study, network = SOURCES[name].make(SOURCES[name].layers)
        layer, way = SOURCES[name].layers[-1], SOURCES[name].ways[0]
        table = bench(study, network, layer)
        for pattern in asked(study, layer, min(most, 3)):
            taken = []
            for n_steps, seeds in ((PREVIEW_STEPS, (0,)), (USUAL_STEPS, (0, 1, 2))):
                wish = wish_for(
                    study, network, layer, pattern=pattern, parametrisation=way, n_steps=n_steps, seeds=seeds
                )
                run, began = ascent(table, wish), time.perf_counter()
                maximize(run)
                taken.append((time.perf_counter() - began) / len(seeds))
            print(f"| {name} | {layer} | {pattern} | {taken[0]:.1f} | {taken[1]:.1f} |", flush=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks explain")
    parser.add_argument("sources", nargs="*", help=", ".join(SOURCES))
    parser.add_argument("--most", type=int, default=1000, help="patterns of a layer")
    parser.add_argument("--ways", nargs="+", help="parametrisations; those of the source when absent")
    parser.add_argument("--only", choices=("figures", "causes", "previews", "engine"), help="one part")
    options = parser.parse_args(arguments)
    names = options.sources or [name for name in SOURCES if name in ("digits", "shapes") or SHARED.is_dir()]
    if options.only in (None, "figures"):
        figures(names, options.ways, options.most)
    if options.only in (None, "causes"):
        causal(names, options.most)
    if options.only in (None, "previews"):
        previews(names, options.most)
    if options.only in (None, "engine"):
        engine(names, min(options.most, 8))
