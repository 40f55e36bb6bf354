"""Patterns: what one layer, or one of its units, has learnt, as groups of images that it treats alike."""

import streamlit as st

from nap_core.activations.single_unit import unit_layer
from nap_core.configs import reservations
from nap_core.ui.cards import VIEWS, cards, headline, nothing_found, opened, pick_unit
from nap_core.ui.class_table import class_table
from nap_core.ui.notes import notes_of
from nap_core.ui.pattern_detail import pattern_detail
from nap_core.ui.resources import current_study
from nap_core.ui.strongest_panel import strongest_panel
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
unit = pick_unit(study, layer)
config = pick_clustering(study)
looked_at = layer if unit is None else unit_layer(layer, unit)
group_missing(study, [looked_at], config)
patterns = study.patterns(looked_at, config)

st.title("What does this layer treat alike?" if unit is None else "What does this unit treat alike?")
st.markdown(headline(study, patterns))
if not_exact := reservations(config, study.n_images):
    st.caption(not_exact)
if patterns.n_patterns == 0:
    nothing_found(patterns)
pattern = opened(patterns, notes_of(study, looked_at, config))
if pattern is not None:
    pattern_detail(study, patterns, pattern, config)
    st.stop()
view = st.segmented_control(
    "Show", VIEWS, default="cards", required=True, key="view", bind="query-params", label_visibility="collapsed"
)
if view == "cards":
    cards(study, patterns, config)
elif view == "classes":
    class_table(study, patterns)
else:
    strongest_panel(study, layer, unit)
