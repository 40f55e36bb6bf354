"""What each command of the command line does; results are printed, errors are raised."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nap_core.command_line import parser
from nap_core.configs import ClusterConfig, recipe, reservations
from nap_core.errors import ConfigError
from nap_core.inputs.preprocessing import Preprocessing
from nap_core.reports import print_findings, print_foreign, print_quality, reporter
from nap_core.types import NOISE

if TYPE_CHECKING:
    from distributed import Client

    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network
    from nap_core.study import Study
    from nap_core.types import LayerInfo


def _config(options: argparse.Namespace) -> ClusterConfig:
    changes = {f.name: v for f in fields(ClusterConfig) if (v := getattr(options, f.name)) is not None}
    return recipe(options.recipe, **changes)


def _example_layers(network: Network) -> tuple[LayerInfo, ...]:
    from PIL import Image

    from nap_core.activations.layers import list_layers

    size = getattr(network.preprocessing, "input_size", None) or 224
    grey = Image.fromarray(np.full((size, size, 3), 127, np.uint8))
    return list_layers(network.module, network.preprocessing(grey)[None])


def _with_options(network: Network, options: argparse.Namespace) -> Network:
    from nap_core.inputs.assumed import adjusted

    if not (options.input_size or options.mean or options.std):
        return network
    if not isinstance(network.preprocessing, Preprocessing):
        raise ConfigError(f"{network.name} brings its own preprocessing; leave out input size, mean and deviation.")
    found = adjusted(network.preprocessing, options.input_size, options.mean, options.std)
    return network.seeing(found) if options.input_size else replace(network, preprocessing=found)


def layers(options: argparse.Namespace) -> None:
    """Print the layers of a model as a table."""
    from nap_core.activations.layers import suggest_layers
    from nap_core.inputs.models import load_model

    network = _with_options(load_model(options.model, options.weights, class_names=options.class_names), options)
    found = _example_layers(network)
    chosen = suggest_layers(found)
    print(f"{network.name}: {len(found)} layers; * is the suggestion")
    width = max(len(layer.name) for layer in found)
    for layer in found:
        mark, shape = "*" if layer.name in chosen else " ", "×".join(map(str, layer.output_shape)) or layer.reason
        print(f"{mark} {layer.name:<{width}}  {layer.type:<22} {layer.kind:<8} {shape:<16} {layer.n_parameters:>12,}")


def _inputs(options: argparse.Namespace) -> tuple[Network, ImageSet]:
    from nap_core.inputs.assumed import fitted
    from nap_core.inputs.images import load_images
    from nap_core.inputs.models import load_model

    if options.demo:
        from nap_core.inputs.demos import demo_images

        return load_model(options.demo), demo_images(options.demo)
    if not options.images or not (options.model or options.weights):
        raise ConfigError("A run needs --images and --model or --weights; or --demo; or --activations.")
    network = load_model(options.model, options.weights, class_names=options.class_names)
    images = load_images(options.images, classes=options.labels, progress=reporter("images"))
    network, assumption = fitted(_with_options(network, options), images)
    if assumption and not (options.mean and options.std):
        print(assumption, file=sys.stderr)
    return network, images


def _new_study(options: argparse.Namespace, config: ClusterConfig, client: Client | None) -> Study:
    from nap_core.activations.extract import network_layers
    from nap_core.activations.hooks import check_names
    from nap_core.activations.layers import suggest_layers
    from nap_core.activations.workers import check_shared
    from nap_core.errors import LayerNotReachedError
    from nap_core.study import Study

    network, images = _inputs(options)
    for skipped in images.skipped:
        print(f"skipped {skipped.name}: {skipped.reason}", file=sys.stderr)
    if options.limit:
        images = images.limited(options.limit, options.seed or 0)
    known = {layer.name: layer for layer in network_layers(network, images)}
    wanted = options.layers or _demo_layers(options.demo) or suggest_layers(tuple(known.values()))
    check_names(network.module, wanted)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise LayerNotReachedError(
            f"The forward pass never ran {', '.join(missing)}; choose a layer that the model uses."
        )
    chosen = [layer for name, layer in known.items() if name in wanted]
    title = _demo_title(options.demo)
    how = {"pooling": options.pooling, "precision": options.precision}
    study = Study.create(options.study, network, images, chosen, **how, config=config, title=title)
    if client:
        check_shared(client, study.folder)
    where = {"device": options.device, "batch_size": options.batch_size, "client": client}
    study.extract(network, images, **where, progress=reporter("activations"))
    return study


def _demo_layers(name: str | None) -> tuple[str, ...]:
    if not name:
        return ()
    from nap_core.inputs.demos import DEMOS

    return DEMOS[name].layers


def _demo_title(name: str | None) -> str:
    from nap_core.inputs.demos import DEMOS

    return DEMOS[name].title if name else ""


def _imported_study(options: argparse.Namespace, config: ClusterConfig) -> Study:
    from nap_core.activations.imported import read_activations
    from nap_core.study import Study

    found = read_activations(options.activations)
    return Study.from_activations(
        options.study,
        found.layers,
        ids=found.ids,
        targets=found.targets,
        config=config,
        title=options.activations.stem,
    )


def _connected(address: str | None, stack: ExitStack) -> Client | None:
    """Do what follows on the workers of a scheduler, until `stack` is left; here where no address is given."""
    if not address:
        return None
    import joblib

    from nap_core.activations.workers import workers

    client = stack.enter_context(workers(address))
    stack.enter_context(joblib.parallel_config(backend="dask"))
    return client


def run(options: argparse.Namespace) -> int:
    """Make or continue a study; return 2 where a layer has no patterns for a reason, else 0."""
    config = _config(options)
    with ExitStack() as stack:
        client = _connected(options.scheduler, stack)
        study = _imported_study(options, config) if options.activations else _new_study(options, config, client)
        n_jobs = sum(client.nthreads().values()) if client else options.jobs
        problems = study.cluster(n_jobs=n_jobs, progress=reporter("patterns"))
    width = max(len(name) for name in study.layer_names)
    print(f"{'layer':<{width}}  patterns  coverage  images {study.n_images}")
    for name in study.layer_names:
        if name in problems:
            print(f"{name:<{width}}  {problems[name]}", file=sys.stderr)
            continue
        patterns = study.patterns(name)
        noise = int((patterns.label == NOISE).sum())
        print(f"{name:<{width}}  {patterns.n_patterns:>8}  {patterns.coverage:>7.0%}   noise {noise}")
    if words := reservations(config, study.n_images):
        print(words)
    print(f"The study is in {study.folder}; open it with: streamlit run app.py -- --study {study.folder}")
    return 2 if problems else 0


def maximized(options: argparse.Namespace) -> None:
    """Make the images of one wish, write them, and print what the check says."""
    from nap_core.explain.words import words
    from nap_core.study import Study
    from nap_core.study.own_network import own_network
    from nap_core.study.synthetic import synthetic, wish_for
    from nap_core.study.synthetic_files import check_name, write_made

    check_name(options.out)
    study = Study.open(options.study)
    network = own_network(study, options.model, options.weights)
    named = {name: getattr(options, name) for name in ("pattern", "unit", "logit", "other", "token", "diversity")}
    wish = wish_for(
        study,
        network,
        options.layer,
        **named,
        mode=options.mode or "",
        image=options.image,
        parametrisation=options.parametrisation or "",
        n_steps=options.steps,
        seeds=tuple(options.seed),
        n_octaves=options.octaves,
    )
    made = synthetic(study, network, wish, progress=reporter("steps"), training=reporter("generator"))
    for sentence in words(made.check, study.prediction_names):
        print(sentence)
    picture, beside = write_made(study, made, options.out)
    print(f"Written to {picture} and {beside}.")


def make_demos(options: argparse.Namespace) -> None:
    """Make the shipped studies again, with everything that their first visitor would wait for."""
    import shutil
    import tempfile

    from nap_core.inputs.demos import DEMOS, demo_study_folder
    from nap_core.study import Study
    from nap_core.study.findings import findings
    from nap_core.study.folder import pack_results
    from nap_core.study.judgement import judge
    from nap_core.study.looks import make_looks
    from nap_core.study.maps import layout
    from nap_core.study.own_network import own_network

    for name in DEMOS:
        with tempfile.TemporaryDirectory() as folder:
            run(parser().parse_args(["run", "--demo", name, "--study", folder, "--jobs", "1"]))
            study = Study.open(folder)
            findings(study)
            network = own_network(study)
            for layer in study.layer_names:
                judge(study, layer, with_dial=True, report=reporter)
                layout(study, layer)
                told, training = reporter(f"looks of {layer}"), reporter("generator")
                make_looks(study, network, layer, progress=told, training=training)
            shipped = demo_study_folder(name)
            shipped.mkdir(parents=True, exist_ok=True)
            shutil.copy(Study.open(folder).folder / "study.json", shipped)
            pack_results(Path(folder) / "results", shipped)


def write_files(options: argparse.Namespace) -> None:
    """Write a study as plain files."""
    from nap_core.export import export
    from nap_core.study import Study

    print(f"Written to {export(Study.open(options.study), options.to)}.")


def pack(options: argparse.Namespace) -> None:
    """Write a study as one file."""
    from nap_core.study import Study
    from nap_core.study.bundle import pack_study

    pack_study(Study.open(options.study), options.file)
    print(f"Written to {options.file}; open it on Setup, or with: python -m nap_core unpack {options.file} DIR")


def unpack(options: argparse.Namespace) -> None:
    """Open a study that was written as one file."""
    from nap_core.study.bundle import unpack_study

    study = unpack_study(options.file, options.study)
    print(f"The study is in {study.folder}; open it with: streamlit run app.py -- --study {study.folder}")


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "layers": layers,
    "run": run,
    "maximize": maximized,
    "findings": print_findings,
    "quality": print_quality,
    "foreign": print_foreign,
    "export": write_files,
    "pack": pack,
    "unpack": unpack,
    "demos": make_demos,
}
"""What is done for each command of `parser`; returns the exit status, or None for 0."""
