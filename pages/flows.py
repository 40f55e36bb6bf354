"""Flows: how images move between the patterns of one layer and the next."""

import streamlit as st

from nap_core.ui.flow_filters import pick_color, pick_flow, pick_followed, tell_left_out
from nap_core.ui.flow_layers import agreement_section, class_section
from nap_core.ui.flow_panel import clickable_flow, drawn_flow
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering

study = current_study()
choice = pick_flow(study)
config = pick_clustering(study)
group_missing(study, choice.layers, config)

st.title("How do images move from layer to layer?")
if len(choice.layers) < 2:
    st.info("Choose two layers or more in the sidebar; this page shows how images move between their patterns.")
    st.stop()
space = st.container()
with st.container(horizontal=True, key="flow-filters"):
    by_class = pick_color(study)
    followed = pick_followed(study, config, choice.layers)
if followed.images is not None and not len(followed.images):
    space.info(f"No image is {' and '.join(followed.told)}; take one of these choices back.")
    st.stop()
drawn = drawn_flow(study, config, choice, followed)
with space:
    st.markdown(drawn.headline)
    tell_left_out(study, choice.layers)
clickable_flow(study, drawn, by_class=by_class)
class_section(study, config)
agreement_section(study, config)
