"""New images: how foreign images are that the study does not have, and what they are nearest to."""

import streamlit as st

from nap_core.ui.foreign_panel import show_answer, show_scores, show_strangest
from nap_core.ui.new_images import how_foreign, pick_new_images
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
config = pick_clustering(study)
group_missing(study, [layer], config)

st.title("Which new images are foreign?")
st.caption(
    "How strange images are to what the network answered before, layer by layer (out-of-distribution detection)."
)
asked = pick_new_images(study)
if asked is None:
    st.stop()
found = how_foreign(study, asked, config)
show_answer(study, asked, found)
show_strangest(study, asked, found, layer, config)
show_scores(study, asked, found)
