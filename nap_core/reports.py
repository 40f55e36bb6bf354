"""What commands tell of a study: findings, quality, new images; and how far a command is."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nap_core.configs import reservations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nap_core.study import Study
    from nap_core.study.new_images import NewImages
    from nap_core.types import Progress


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


def print_findings(options: argparse.Namespace) -> None:
    """Print what is worth a look, the most serious first."""
    from nap_core.export import finding_rows, finding_words
    from nap_core.study import Study
    from nap_core.study.findings import findings

    study = Study.open(options.study)
    found = findings(study, progress=reporter("findings"))
    if options.json:
        print(json.dumps(finding_rows(study, found), indent=1, ensure_ascii=False))
    else:
        print(finding_words(study, found) or "Nothing stands out.")


def print_quality(options: argparse.Namespace) -> None:
    """Print for every layer how sure one may be of its patterns."""
    from nap_core.study import Study
    from nap_core.study.judgement import judge
    from nap_core.study.quality import quality

    study = Study.open(options.study)
    if not_exact := reservations(study.config, study.n_images):
        print(not_exact)
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


def print_foreign(options: argparse.Namespace) -> None:
    """Print how many images look foreign to a study and how well each score tells them; write every image's scores."""
    from nap_core.export import foreign_csv
    from nap_core.patterns.foreign import RARE
    from nap_core.study import Study
    from nap_core.study.foreign import foreign_newcomers
    from nap_core.study.new_images import both

    study = Study.open(options.study)
    new, known = _new_images(study, options)
    n_new, familiar = len(new.ids), None
    if options.known:
        familiar = _through_network(study, options.known, options)
        new = both(new, familiar)
    found = foreign_newcomers(study, new, known, progress=reporter("layers"))
    if options.to:
        options.to.write_text(foreign_csv(study, new, found), encoding="utf-8", newline="")
    strange = found.looks_foreign
    print(
        f"{int(strange[:n_new].sum()):,} of {n_new:,} images look foreign: at most {RARE:.0%} of {len(found.known):,} "
        f"known images are as strange. By chance it would be {RARE * n_new:.0f}."
    )
    if familiar is not None:
        print(f"Of {len(familiar.ids):,} images of known kinds, {int(strange[n_new:].sum()):,} do.")
    is_new = np.arange(len(new.ids)) < n_new
    told = found.separations_from_known() if familiar is None else found.separations(is_new)
    against = "the known images, each scored by others" if familiar is None else "new images of known kinds"
    print(f"If all of them are foreign, each score tells them from {against} with (AUROC, 95 %):")
    width = max(map(len, found.layers))
    for (layer, score), one in told.items():
        print(
            f"{layer or 'all layers':<{max(width, 10)}}  {score:<14}  {one.auroc:.3f}  {one.low:.3f} to {one.high:.3f}"
        )
    if options.to:
        print(f"Every image's scores are in {options.to}.")


def _new_images(study: Study, options: argparse.Namespace) -> tuple[NewImages, NDArray[np.bool_]]:
    """Return the images that are asked about, and which of the study's own are known."""
    from nap_core.study.new_images import left_out, of_classes

    if options.images:
        return _through_network(study, options.images, options), np.ones(study.n_images, bool)
    out = of_classes(study, options.leave_out)
    return left_out(study, np.flatnonzero(out).astype(np.int32)), ~out


def _through_network(study: Study, where: str, options: argparse.Namespace) -> NewImages:
    from nap_core.inputs.demos import DEMOS, demo_images
    from nap_core.inputs.images import load_images
    from nap_core.study.new_images import run_new_images
    from nap_core.study.own_network import own_network

    network = own_network(study, options.model, options.weights)
    is_demo = where in DEMOS and not Path(where).exists()
    images = demo_images(where) if is_demo else load_images(where, progress=reporter("images"))
    for skipped in images.skipped:
        print(f"skipped {skipped.name}: {skipped.reason}", file=sys.stderr)
    if options.limit:
        images = images.limited(options.limit)
    return run_new_images(study, network, images, device=options.device, progress=reporter("activations"))
