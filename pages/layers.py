"""Layers: which layers to look at, what it costs, and the run."""

import streamlit as st

from nap_core.ui.resources import go_to
from nap_core.ui.run_panel import choose_layers, layers_of, run_form
from nap_core.ui.setup_panel import own_images, own_network

network, images = own_network(), own_images()
st.title("Which layers?")
if network is None or images is None:
    st.info("Here you choose layers and run. It needs a model and images first.")
    go_to("Choose a model and images", "setup", key="setup")
    st.stop()
st.markdown(f"**{network.name}** on **{len(images):,} images**, layers in the order in which an image passes them.")
layers = choose_layers(network, layers_of(network, images))
if not layers:
    st.info("Choose at least one layer.")
    st.stop()
run_form(network, images, layers)
