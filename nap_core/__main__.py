"""The command line: ``python -m nap_core layers | run | maximize | findings | quality | export | pack | unpack``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nap_core.configs import POOLINGS, RECIPES, ClusterConfig, recipe
from nap_core.errors import ConfigError, NapError
from nap_core.types import NOISE

if TYPE_CHECKING:
    from nap_core.inputs.images import ImageSet
    from nap_core.inputs.models import Network
    from nap_core.study import Study
    from nap_core.types import LayerInfo, Progress


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _yes_or_no(word: str) -> bool:
    if word.lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise argparse.ArgumentTypeError(f"'{word}' is neither true nor false")
    return word.lower() in ("true", "yes", "1")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="a torchvision classifier or a demo; recognised from the weights when absent")
    parser.add_argument("--weights", help="a .safetensors or .pth file, or the name of published weights")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--images", type=Path, help="a folder, a zip, an .npz or IDX file")
    parser.add_argument("--demo", choices=("shapes", "shapes_clean", "digits"), help="a built-in study")
    parser.add_argument("--activations", type=Path, help=".npz, one array [image, feature] per layer")
    parser.add_argument("--layers", nargs="+", help="layers by name; a sensible selection when absent")
    parser.add_argument("--study", type=Path, required=True, help="folder of the study")
    parser.add_argument("--pooling", choices=tuple(POOLINGS), default="mean", help="feature map → numbers per unit")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="covering", help="how patterns are found")
    parser.add_argument("--limit", type=int, help="at most so many images, evenly from the classes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--scheduler", help="address of a Dask scheduler, or 'local': one process for each core")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="layers clustered side by side")
    group = parser.add_argument_group("clustering (each replaces the recipe's value)")
    for field in fields(ClusterConfig):
        kind: Any = _yes_or_no if isinstance(field.default, bool) else type(field.default)
        choices = field.metadata.get("choices")
        group.add_argument(_option(field.name), type=kind, choices=choices, help=field.metadata["help"])


def _add_maximize(parser: argparse.ArgumentParser) -> None:
    from nap_core.explain.wishes import PATTERN_MODES, UNIT_MODES, WAYS

    parser.add_argument("study", type=Path, metavar="DIR")
    _add_model(parser)
    parser.add_argument("--layer", required=True, help="of the pattern or unit; for a logit, the layer of the check")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--pattern", type=int, metavar="K")
    what.add_argument("--unit", type=int, metavar="U")
    what.add_argument("--logit", type=int, metavar="C")
    modes = (*PATTERN_MODES, *UNIT_MODES)
    parser.add_argument("--mode", choices=modes, help="prototype for a pattern and channel for a unit when absent")
    parser.add_argument("--other", type=int, help="the pattern that contrast compares with")
    parser.add_argument("--image", help="the picture that edit starts from, by its id or number")
    parser.add_argument("--parametrisation", choices=tuple(WAYS), help="what suits the pictures' size when absent")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2], help="one image each")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="the check goes beside, as .json")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="python -m nap_core", description="Neural activation patterns of a model.")
    commands = top.add_subparsers(dest="command", required=True)
    _add_model(commands.add_parser("layers", help="the layers of a model in execution order"))
    _add_run(commands.add_parser("run", help="find the patterns of a model's layers"))
    commands.add_parser("demos", help="make the shipped studies of the demos again")
    telling = commands.add_parser("findings", help="what is worth a look in a study, the most serious first")
    telling.add_argument("study", type=Path, metavar="DIR")
    telling.add_argument("--json", action="store_true", help="everything, all images included, as JSON")
    judging = commands.add_parser("quality", help="how sure one may be of a study's patterns, layer by layer")
    judging.add_argument("study", type=Path, metavar="DIR")
    _add_maximize(commands.add_parser("maximize", help="make images that show what a pattern, unit or class is about"))
    leaving = commands.add_parser("export", help="write a study as plain files")
    leaving.add_argument("study", type=Path, metavar="DIR")
    leaving.add_argument("--to", type=Path, required=True, metavar="OUT")
    packing = commands.add_parser("pack", help="write a study as one file that opens again exactly")
    packing.add_argument("study", type=Path, metavar="DIR")
    packing.add_argument("file", type=Path, metavar="FILE")
    unpacking = commands.add_parser("unpack", help="open a study that was written as one file")
    unpacking.add_argument("file", type=Path, metavar="FILE")
    unpacking.add_argument("study", type=Path, metavar="DIR", help="a folder that does not exist yet")
    return top


def reporter(step: str) -> Progress:
    """Return a progress that keeps one line up to date: step, count, remaining time."""
    began, state = time.monotonic(), {"shown": 0.0, "first": -1.0}

    def show(done: int, total: int) -> None:
        now = time.monotonic()
        if state["first"] < 0:
            state["first"] = done
        fresh = done - state["first"]
        if done < total and now - state["shown"] < 0.5:
            return
        state["shown"] = now
        left = f", {(now - began) / fresh * (total - done):.0f} s left" if fresh and done < total else ""
        print(
            f"\r{step}: {done} of {total}{left}      ", end="\n" if done >= total else "", file=sys.stderr, flush=True
        )

    return show


def _config(options: argparse.Namespace) -> ClusterConfig:
    changes = {f.name: v for f in fields(ClusterConfig) if (v := getattr(options, f.name)) is not None}
    return recipe(options.recipe, **changes)


def _example_layers(network: Network) -> tuple[LayerInfo, ...]:
    import numpy as np
    from PIL import Image

    from nap_core.activations.layers import list_layers

    size = getattr(network.preprocessing, "input_size", None) or 224
    grey = Image.fromarray(np.full((size, size, 3), 127, np.uint8))
    return list_layers(network.module, network.preprocessing(grey)[None])


def layers(options: argparse.Namespace) -> None:
    """Print the layers of a model as a table."""
    from nap_core.activations.layers import suggest_layers
    from nap_core.inputs.models import load_model

    network = load_model(options.model, options.weights)
    found = _example_layers(network)
    chosen = suggest_layers(found)
    print(f"{network.name}: {len(found)} layers; * is the suggestion")
    width = max(len(layer.name) for layer in found)
    for layer in found:
        mark, shape = "*" if layer.name in chosen else " ", "×".join(map(str, layer.output_shape)) or layer.reason
        print(f"{mark} {layer.name:<{width}}  {layer.type:<22} {layer.kind:<8} {shape:<16} {layer.n_parameters:>12,}")


def _inputs(options: argparse.Namespace) -> tuple[Network, ImageSet]:
    from nap_core.inputs.images import load_images
    from nap_core.inputs.models import load_model

    if options.demo:
        from nap_core.inputs.demos import demo_images

        return load_model(options.demo), demo_images(options.demo)
    if not options.images or not (options.model or options.weights):
        raise ConfigError("A run needs --images and --model or --weights; or --demo; or --activations.")
    return load_model(options.model, options.weights), load_images(options.images, progress=reporter("images"))


def _new_study(options: argparse.Namespace, config: ClusterConfig, client: Any | None) -> Study:
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
    study = Study.create(options.study, network, images, chosen, pooling=options.pooling, config=config, title=title)
    if client:
        check_shared(client, study.folder)
    how = {"device": options.device, "batch_size": options.batch_size, "client": client}
    study.extract(network, images, **how, progress=reporter("activations"))
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


def _connected(address: str | None, stack: ExitStack) -> Any | None:
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
    print(f"The study is in {study.folder}; open it with: streamlit run app.py -- --study {study.folder}")
    return 2 if problems else 0


def maximized(options: argparse.Namespace) -> None:
    """Make the images of one wish, write them, and print what the check says."""
    from nap_core.explain.words import words
    from nap_core.study import Study
    from nap_core.study.own_network import own_network
    from nap_core.study.synthetic import synthetic, wish_for
    from nap_core.study.synthetic_files import write_made

    study = Study.open(options.study)
    network = own_network(study, options.model, options.weights)
    named = {name: getattr(options, name) for name in ("pattern", "unit", "logit", "other")}
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
    )
    made = synthetic(study, network, wish, progress=reporter("steps"), training=reporter("generator"))
    for sentence in words(made.check, study.prediction_names):
        print(sentence)
    picture, beside = write_made(study, made, options.out)
    print(f"Written to {picture} and {beside}.")


def _make_demos() -> None:
    import shutil
    import tempfile

    from nap_core.inputs.demos import DEMOS, demo_study_folder
    from nap_core.study import Study
    from nap_core.study.findings import findings
    from nap_core.study.folder import pack_results
    from nap_core.study.judgement import judge

    for name in DEMOS:
        with tempfile.TemporaryDirectory() as folder:
            run(parser().parse_args(["run", "--demo", name, "--study", folder, "--jobs", "1"]))
            study = Study.open(folder)
            findings(study)
            for layer in study.layer_names:
                judge(study, layer, with_dial=True, report=reporter)
            shipped = demo_study_folder(name)
            shipped.mkdir(parents=True, exist_ok=True)
            shutil.copy(Study.open(folder).folder / "study.json", shipped)
            pack_results(Path(folder) / "results", shipped)


def _print_findings(options: argparse.Namespace) -> None:
    from nap_core.export import finding_rows, finding_words
    from nap_core.study import Study
    from nap_core.study.findings import findings

    study = Study.open(options.study)
    found = findings(study, progress=reporter("findings"))
    if options.json:
        print(json.dumps(finding_rows(study, found), indent=1, ensure_ascii=False))
    else:
        print(finding_words(study, found) or "Nothing stands out.")


def _print_quality(options: argparse.Namespace) -> None:
    from nap_core.study import Study
    from nap_core.study.judgement import judge
    from nap_core.study.quality import quality

    study = Study.open(options.study)
    layers = [name for name in study.layer_names if name not in study.problems]
    verdicts = [judge(study, layer, report=reporter) for layer in layers]
    width = max(map(len, layers), default=5)
    print(f"{'layer':<{width}}  verdict        patterns  by chance  in islands  stable  doubtful  unstable")
    for layer, found in zip(layers, verdicts, strict=True):
        words = quality(study, layer).words
        stable, doubtful, unstable = (words.count(word) for word in ("stable", "doubtful", "unstable"))
        chance = round(float(found.chance_n_patterns.mean())) if len(found.chance_n_patterns) else "-"
        print(
            f"{layer:<{width}}  {found.word:<13}  {found.n_patterns:>8}  {chance:>9}  {found.parted:>10.0%}"
            f"  {stable:>6}  {doubtful:>8}  {unstable:>8}"
        )


def _as_one_file(options: argparse.Namespace) -> None:
    from nap_core.study import Study
    from nap_core.study.bundle import pack_study, unpack_study

    if options.command == "pack":
        pack_study(Study.open(options.study), options.file)
        print(f"Written to {options.file}; open it on Setup, or with: python -m nap_core unpack {options.file} DIR")
    else:
        study = unpack_study(options.file, options.study)
        print(f"The study is in {study.folder}; open it with: streamlit run app.py -- --study {study.folder}")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status: 0, or 2 with a sentence on the standard error."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "layers":
            layers(options)
        elif options.command == "run":
            return run(options)
        elif options.command == "maximize":
            maximized(options)
        elif options.command == "demos":
            _make_demos()
        elif options.command == "findings":
            _print_findings(options)
        elif options.command == "quality":
            _print_quality(options)
        elif options.command in ("pack", "unpack"):
            _as_one_file(options)
        else:
            from nap_core.export import export
            from nap_core.study import Study

            print(f"Written to {export(Study.open(options.study), options.to)}.")
    except NapError as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the same command continues where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
