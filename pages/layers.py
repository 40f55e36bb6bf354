"""Layers: which layers to look at, what it costs, and the run."""

import streamlit as st

from nap_core.errors import counted
from nap_core.ui.resources import go_to
from nap_core.ui.run_panel import choose_layers, layers_of, run_form, tell_awaited
from nap_core.ui.setup_panel import own_images, own_network

network, images = own_network(), own_images()
st.title("Which layers?")
if network is None or images is None:
    missing = " and ".join(what for what, given in (("a model", network), ("images", images)) if given is None)
    st.info(f"Here you choose layers and run. It needs {missing} first.")
    tell_awaited(network, images)
    go_to("Choose a model and images", "setup", key="setup")
    st.stop()
st.caption(
    "Every layer ticked gets patterns of its own. The suggested ones end a stage each; the last one is the answer."
)
known = layers_of(network, images)
tree, run = st.columns([3, 2], gap="large")
with tree:
    layers = choose_layers(network, known)
with run:
    st.markdown(f"**{network.name}** on **{counted(len(images), 'image')}**, {images.source}.")
    run_form(network, images, layers, known)
