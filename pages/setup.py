"""Setup: which model, which images; or a study or activations made before."""

import streamlit as st

from nap_core.ui.preprocessing_panel import preprocessing_panel
from nap_core.ui.published_panel import published_study
from nap_core.ui.resources import go_to
from nap_core.ui.setup_panel import choose_images, choose_model, own_images, own_network, tell_images, tell_model
from nap_core.ui.studies_panel import import_activations, list_studies, open_file, open_folder, take_away

WAYS = {
    "own": "Your model and images",
    "published": "Published model and photos",
    "open": "Studies made before",
}

st.title("Which model, which images?")
way = st.segmented_control(
    "Begin with",
    list(WAYS),
    default="own",
    required=True,
    format_func=lambda w: WAYS[w],
    key="begin",
    persist_state="session",
)
if way == "own":
    st.caption(
        "Give a trained network and a few hundred pictures; then choose layers and run. Uploads are read, never run."
    )
    model, pictures = st.columns(2, gap="large")
    with model:
        choose_model()
        tell_model(own_network())
    with pictures:
        choose_images()
        tell_images(own_images())
    network, images = own_network(), own_images()
    if network and images:
        preprocessing_panel(network, images)
        go_to("Next: choose layers and run", "layers", key="next")
elif way == "published":
    st.caption("A real study at one click, for a machine with a network: nothing to prepare, nothing to upload.")
    published_study()
else:
    st.caption("Go on where you or somebody else stopped, and take the open study with you as one file.")
    listed, given = st.columns([3, 2], gap="large")
    with listed:
        take_away()
        list_studies()
    with given:
        open_file()
        open_folder()
        import_activations()
