"""What the command line understands: commands and their options."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from nap_core.configs import POOLINGS, PRECISION_HELP, PRECISIONS, RECIPES, by_section


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _yes_or_no(word: str) -> bool:
    if word.lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise argparse.ArgumentTypeError(f"'{word}' is neither true nor false")
    return word.lower() in ("true", "yes", "1")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="a torchvision classifier or a demo; recognised from the weights when absent")
    parser.add_argument("--weights", help="a .safetensors or .pth file, or the name of published weights")


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how pictures become the network's input (known for published models and demos)")
    group.add_argument("--input-size", type=int, help="side in pixels of the square that the network was trained on")
    group.add_argument("--mean", type=float, nargs="+", default=[], help="per channel, for values in 0 … 1")
    group.add_argument("--std", type=float, nargs="+", default=[], help="per channel")
    group.add_argument("--class-names", default=(), metavar="FILE", help="a name per output: lines of text, or JSON")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--images", type=Path, help="a folder, a zip, an .npz or IDX file")
    parser.add_argument("--labels", type=Path, metavar="FILE.csv", help="columns id and target, in place of folders")
    parser.add_argument("--demo", choices=("shapes", "shapes_clean", "digits"), help="a built-in study")
    parser.add_argument("--activations", type=Path, help=".npz, one array [image, feature] per layer")
    parser.add_argument("--layers", nargs="+", help="layers by name; a sensible selection when absent")
    parser.add_argument("--study", type=Path, required=True, help="folder of the study")
    parser.add_argument("--pooling", choices=tuple(POOLINGS), default="mean", help="feature map → numbers per unit")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help=PRECISION_HELP)
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="covering", help="how patterns are found")
    parser.add_argument("--limit", type=int, help="at most so many images, evenly from the classes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--scheduler", help="address of a Dask scheduler, or 'local': one process for each core")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="layers clustered side by side")
    _add_pictures(parser)
    for section, parameters in by_section().items():
        told = f"clustering: {section.lower()}"
        group = parser.add_argument_group(told, description="Each replaces the recipe's value.")
        for field in parameters:
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
    parser.add_argument(
        "--token", type=int, metavar="T", help="of a unit: its answer in this one token; 0 is the first"
    )
    parser.add_argument(
        "--diversity", type=float, default=0.0, metavar="N", help="0 to 100: keep the seeds' images apart"
    )
    parser.add_argument("--octaves", type=int, default=1, metavar="N", help="1 to 6: begin coarse, double the detail")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2], help="one image each")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="the check goes beside, as .json")


def _add_foreign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, metavar="DIR")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--images", metavar="WHERE", help="new ones: a folder, a zip, an .npz or IDX file, or a demo")
    which.add_argument("--leave-out", nargs="+", metavar="CLASS", help="these of the study's own classes, as if new")
    parser.add_argument(
        "--known", metavar="WHERE", help="new images of the kinds that the study knows, to compare with"
    )
    _add_model(parser)
    parser.add_argument("--limit", type=int, help="at most so many images of each, evenly from the classes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument("--to", type=Path, metavar="FILE.csv", help="every image's scores, layer by layer")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="python -m nap_core", description="Neural activation patterns of a model.")
    commands = top.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("layers", help="the layers of a model in execution order")
    _add_model(looking)
    _add_pictures(looking)
    _add_run(commands.add_parser("run", help="find the patterns of a model's layers"))
    commands.add_parser("demos", help="make the shipped studies of the demos again")
    telling = commands.add_parser("findings", help="what is worth a look in a study, the most serious first")
    telling.add_argument("study", type=Path, metavar="DIR")
    telling.add_argument("--json", action="store_true", help="everything, all images included, as JSON")
    judging = commands.add_parser("quality", help="how sure one may be of a study's patterns, layer by layer")
    judging.add_argument("study", type=Path, metavar="DIR")
    _add_foreign(commands.add_parser("foreign", help="how foreign new images are to a study (out-of-distribution)"))
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
