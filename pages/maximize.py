"""What it looks for: a pattern, a unit or a class by real images, synthetic ones with their check, units, places."""

import streamlit as st

from nap_core.ui.all_looks_panel import all_looks
from nap_core.ui.evidence_panel import GLANCE, MADE, WAYS_VIEW, firmness, pick_view, places, units
from nap_core.ui.glance_panel import glance, real_images, show_real
from nap_core.ui.looks import ALL
from nap_core.ui.maximize_panel import made_images, pick_target, pick_wish, show_made
from nap_core.ui.own_network import is_at_hand, network_of, offer_network
from nap_core.ui.resources import current_study
from nap_core.ui.ways_panel import compare_ways
from nap_core.ui.widgets import group_missing, pick_clustering, pick_layer

study = current_study()
layer = pick_layer(study)
config = pick_clustering(study)

st.title("What it looks for")
st.caption(
    "Real images that a pattern, unit or class answers to, beside pictures made so that the network answers like this; "
    "each made picture with its check."
)
group_missing(study, [layer], config)
what, number = pick_target(study, layer, config)
if what == ALL:
    all_looks(study, layer, config)
    st.stop()
view = pick_view(what)
if view == GLANCE:
    glance(study, layer, config, what, number, can_make=is_at_hand(study))
if view == WAYS_VIEW:
    compare_ways(study, layer, config, what, number)
    st.stop()
if not is_at_hand(study):
    offer_network(study, "More is made and measured with")
    st.stop()
if view == MADE:
    wish = pick_wish(study, network_of(study), layer, config, what, number)
    made = made_images(study, network_of(study), wish, config) if wish else None
    if made is not None:
        show_made(study, made)
    else:
        show_real(study, layer, what, number, real_images(study, layer, config, what, number))
elif view == "units":
    units(study, network_of(study), layer, number, config)
elif view == "places":
    places(study, network_of(study), layer, number, config)
elif view == "firmness":
    firmness(study, network_of(study), layer, number, config)
