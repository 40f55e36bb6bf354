"""Overview: what was studied, and what was found, layer by layer."""

import streamlit as st

from nap_core.ui.findings_panel import show_findings
from nap_core.ui.network_strip import network_strip
from nap_core.ui.overview import finding, heading, look_next, studied
from nap_core.ui.panels import layer_summaries, layer_table
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import current_clustering, group_missing, recipe_of

study = current_study()
config = current_clustering(study)
group_missing(study, study.layer_names, config)
summaries = layer_summaries(study, config)

st.title(heading(study))
st.markdown(studied(study))
st.markdown(f"#### {finding(study, summaries)}")
network_strip(study, summaries, config)
standing_out = st.container()
if summaries:
    look_next(summaries)
with st.expander("All figures, layer by layer"):
    layer_table(summaries)
    st.caption(f"Patterns by recipe: {recipe_of(config)}.")
for layer, problem in study.problems.items():
    st.warning(f"{layer}: {problem}")
if summaries:
    show_findings(standing_out, study, config)
