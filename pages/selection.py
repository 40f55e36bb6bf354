"""Selection: the images that the reader picked, on whatever page, and where they lie in every layer."""

import streamlit as st

from nap_core.ui.grid import paged_pictures
from nap_core.ui.panels import in_common
from nap_core.ui.resources import current_study
from nap_core.ui.selection import selected
from nap_core.ui.selection_panel import holding_patterns, nothing_selected, selection_downloads, selection_sentence
from nap_core.ui.widgets import current_clustering, group_missing

study = current_study()
config = current_clustering(study)
images = selected(study)
group_missing(study, study.layer_names, config)

st.title("What have you selected?")
if not len(images):
    nothing_selected(study)
    st.stop()
st.markdown(selection_sentence(study, images))
selection_downloads(study, images, config)
paged_pictures(study, images.tolist(), key="selection-images")
left, right = st.columns([3, 2], gap="large")
with left:
    holding_patterns(study, images, config)
with right:
    in_common(study, images, key="selection")
