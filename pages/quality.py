"""How sure?: whether a layer has patterns at all, which of them come back, and what chance would give."""

import streamlit as st

from nap_core.configs import reservations
from nap_core.study.judgement import layer_verdict
from nap_core.study.quality import quality
from nap_core.ui.continuum_panel import show_directions, show_unplaced
from nap_core.ui.dial_panel import show_dial
from nap_core.ui.quality_panel import ask_first, is_judged, show_stability, show_table, show_tree, show_verdict
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
config = pick_clustering(study)
group_missing(study, [layer], config)
patterns = study.patterns(layer, config)

st.title("How sure?")
st.caption("Whether the patterns of a layer would come back, stand apart, and are more than chance gives.")
if not_exact := reservations(config, study.n_images):
    st.caption(not_exact)
if not is_judged(study, layer, config):
    ask_first(study, layer, config)
    st.stop()
verdict = layer_verdict(study, layer, config)
show_verdict(study, verdict, config)
if verdict.word == "a continuum":
    show_directions(study, layer, config, at_once=True)
if patterns.n_patterns:
    found = quality(study, layer, config)
    show_stability(study, patterns, config, found)
    show_table(found)
    show_tree(patterns)
show_dial(study, layer, config)
show_unplaced(study, layer, config)
if verdict.word != "a continuum":
    show_directions(study, layer, config, at_once=False)
