"""Setup: which model, which images; or a study or activations made before."""

import streamlit as st

from nap_core.ui.resources import go_to
from nap_core.ui.setup_panel import (
    choose_images,
    choose_model,
    open_other,
    own_images,
    own_network,
    tell_images,
    tell_model,
)

st.title("Which model, which images?")
model, pictures = st.columns(2, gap="large")
with model:
    choose_model()
    tell_model(own_network())
with pictures:
    choose_images()
    tell_images(own_images())
if own_network() and own_images():
    go_to("Next: choose layers and run", "layers", key="next")
with st.expander("Open something made before"):
    open_other()
