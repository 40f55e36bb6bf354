"""How sure one may be of a pattern, as words on its card; only what has been computed already, nothing is awaited."""

from __future__ import annotations

import streamlit as st

from nap_core.configs import ClusterConfig
from nap_core.patterns.gaps import MOST_LEFT
from nap_core.patterns.quality import PatternQuality
from nap_core.patterns.stability import N_DRAWS
from nap_core.patterns.verdict import LayerVerdict
from nap_core.study import Study
from nap_core.study.judgement import known_verdict
from nap_core.study.quality import known_quality
from nap_core.types import NOISE, Float, Patterns
from nap_core.ui.pattern_cards import Badge
from nap_core.ui.resources import go_to

HIGH_LIFT = 2.0
"""Times the layer's share of wrong answers from which a card says so."""

FEWEST_ERRORS = 3
_VERDICT_KINDS = {"patterns": "good", "weak patterns": "doubtful", "a continuum": "", "no patterns": ""}
_KINDS = {"stable": "good", "doubtful": "doubtful", "unstable": "bad"}
LAYOUT_WORDS = {
    "kept": "the rest stays where it lies, which is kind,",
    "fresh": "and everything done anew",
}


def _stability(found: PatternQuality, pattern: int) -> list[Badge]:
    word = found.words[pattern]
    if word == "unknown":
        return []
    about = (
        f"{N_DRAWS} times a fifth of the images is left out, {LAYOUT_WORDS[found.layout]}: on average the most similar "
        f"group has {found.stability[pattern]:.0%} in common with it (mean Jaccard; stable from 75%, unstable below "
        "50%)."
    )
    return [Badge(word, about, _KINDS[word])]


def _apart(found: PatternQuality, pattern: int) -> list[Badge]:
    neighbor, filled = int(found.neighbor[pattern]), float(found.filled[pattern])
    if neighbor == NOISE:
        return []
    as_many = f"{filled:.0%} as many" if filled < 1 else f"{filled:.1f} times as many"
    halfway = f"Halfway to pattern {neighbor}, where least of a gap is, lie {as_many} images as at a centre"
    if found.is_apart[pattern]:
        return [Badge("apart", f"A gap parts it from every neighbour. {halfway}.", "good")]
    if filled <= MOST_LEFT:
        return [Badge("gap unsure", f"{halfway}, but these are too few images to be sure of a gap.")]
    return [Badge(f"no gap to {neighbor}", f"It may be a part of something larger. {halfway}.", "doubtful")]


def _errors(found: PatternQuality, pattern: int) -> list[Badge]:
    rate, lift = float(found.error_rate[pattern]), float(found.lift[pattern])
    if not lift >= HIGH_LIFT or rate * found.size[pattern] < FEWEST_ERRORS:
        return []
    about = f"{rate:.0%} of its images are misclassified, {lift:.1f} times the share in the whole layer."
    return [Badge(f"errors ×{lift:.1f}", about, "bad")]


def pattern_badges(found: PatternQuality, pattern: int) -> list[Badge]:
    """Return the words for one pattern's card: does it come back, does a gap part it, do errors gather in it."""
    return [*_stability(found, pattern), *_apart(found, pattern), *_errors(found, pattern)]


def known_stability(study: Study, patterns: Patterns, config: ClusterConfig) -> Float | None:
    """Return [pattern] how well patterns come back, or None where it was not computed."""
    found = known_quality(study, patterns.layer, config) if patterns.layer in study.layer_names else None
    return found.stability if found is not None and found.layout else None


def verdict_badge(study: Study, layer: str, config: ClusterConfig) -> Badge | None:
    """Return the verdict on a layer as a word; None where it was not computed."""
    found = known_verdict(study, layer, config)
    if found is None:
        return None
    about = (
        f"{found.parted:.0%} of its images lie in groups with a gap all around{chance_words(found)}. Opens How sure?"
    )
    return Badge(found.word, about, _VERDICT_KINDS[found.word])


def chance_words(found: LayerVerdict) -> str:
    """Return what share of images shuffled layers have in islands, as the rest of a sentence; nothing without any."""
    if not len(found.chance_parted):
        return ""
    low, high = (f"{share:.0%}" for share in (found.chance_parted.min(), found.chance_parted.max()))
    if low == high:
        return f", {low} in shuffled layers"
    return f", {low} to {high} in shuffled layers (usually {found.usual_parted:.0%})"


def sure_words(study: Study, layer: str, pattern: int, config: ClusterConfig) -> None:
    """Say of an opened pattern what its card says in a word; nothing where it was not computed."""
    found = known_quality(study, layer, config)
    if found is not None and pattern != NOISE:
        for badge in pattern_badges(found, pattern):
            st.caption(f"**{badge.text}**: {badge.help}")


def badges(study: Study, patterns: Patterns, config: ClusterConfig) -> dict[int, list[Badge]]:
    """Return pattern → words for its card, and lead to the page that computes or explains them."""
    if patterns.layer not in study.layer_names:
        return {}  # a single unit: the page below judges whole layers
    found = known_quality(study, patterns.layer, config)
    said = "How sure is this?" if found else "How sure is this? Not computed for this layer yet"
    go_to(said, "quality", key=f"how-sure-{patterns.layer}", layer=patterns.layer)
    if found is None:
        return {}
    return {pattern: pattern_badges(found, pattern) for pattern in range(patterns.n_patterns)}
