"""Flows: how images move between the patterns of one layer and the next."""

import streamlit as st

from nap_core.ui.flow_panel import clickable_flow, pick_flow
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering

study = current_study()
config = pick_clustering(study)
choice = pick_flow(study)
group_missing(study, choice.layers, config)

st.title("How do images move from layer to layer?")
if len(choice.layers) < 2:
    st.info("Choose two layers or more in the sidebar; this page shows how images move between their patterns.")
    st.stop()
clickable_flow(study, config, choice)
