"""Patterns: what one layer has learnt, as groups of images that it treats alike."""

import streamlit as st

from nap_core.ui.cards import cards, headline, nothing_found, opened
from nap_core.ui.panels import pattern_detail
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
config = pick_clustering(study)
group_missing(study, [layer], config)
patterns = study.patterns(layer, config)

st.title("What does this layer treat alike?")
st.markdown(headline(study, patterns))
if patterns.n_patterns == 0:
    nothing_found(patterns)
pattern = opened(patterns)
if pattern is None:
    cards(study, patterns)
else:
    pattern_detail(study, patterns, pattern)
