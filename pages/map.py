"""Map: how the images of a layer lie; draw around some to select them."""

import streamlit as st

from nap_core.ui.cards import headline
from nap_core.ui.map_panel import lasso_map, make_layout, pick_color, pick_method, shown_layout
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
method = pick_method()
config = pick_clustering(study)
group_missing(study, [layer], config)
patterns = study.patterns(layer, config)

st.title("Which images does this layer bring together?")
st.markdown(headline(study, patterns))
progress = st.container()
lasso_map(study, patterns, shown_layout(study, layer, config, method), pick_color(study), config)
with progress:
    make_layout(study, layer, config, method)
