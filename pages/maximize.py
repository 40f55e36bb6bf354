"""What it looks for: synthetic images of a pattern, a unit or a class beside real ones; its units, places, firmness."""

import streamlit as st

from nap_core.ui.evidence_panel import firmness, pick_view, places, units
from nap_core.ui.maximize_panel import compare_ways, made_images, pick_target, pick_wish, show_made
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
config = pick_clustering(study)

st.title("What it looks for")
st.caption(
    "Images made so that the network answers most strongly, or exactly as it answers to a pattern; each with a check."
)
if not is_at_hand(study):
    offer_network(study, "Such images are made with")
    st.stop()
group_missing(study, [layer], config)
network = network_of(study)
what, number = pick_target(study, layer, config)
view = pick_view() if what == "pattern" else "made images"
if view == "units":
    units(study, network, layer, number, config)
elif view == "places":
    places(study, network, layer, number, config)
elif view == "firmness":
    firmness(study, network, layer, number, config)
else:
    wish = pick_wish(study, network, layer, config, what, number)
    made = made_images(study, network, wish, config) if wish else None
    if made is not None:
        show_made(study, made)
        compare_ways(study, network, made.wish, config)
