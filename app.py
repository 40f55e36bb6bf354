"""The dashboard: page settings, navigation, and the one place where an error becomes a sentence."""

import streamlit as st

from nap_core.environment import prepare_environment
from nap_core.errors import NapError
from nap_core.ui.frame import PAGE_STYLE, behind_the_page, frame
from nap_core.ui.resources import show_error

prepare_environment()
st.set_page_config(page_title="Neural activation patterns", layout="wide")
st.html(PAGE_STYLE)
page = st.navigation(
    {
        "What was found": [
            st.Page("pages/overview.py", title="Overview", default=True),
            st.Page("pages/patterns.py", title="Patterns"),
            st.Page("pages/map.py", title="Map"),
            st.Page("pages/flows.py", title="Flows"),
            st.Page("pages/image.py", title="Image"),
            st.Page("pages/new_images.py", title="New images"),
            st.Page("pages/compare.py", title="Compare"),
            st.Page("pages/maximize.py", title="What it looks for"),
            st.Page("pages/quality.py", title="How sure?"),
            st.Page("pages/selection.py", title="Selection"),
        ],
        "Your own model": [
            st.Page("pages/setup.py", title="Setup"),
            st.Page("pages/layers.py", title="Layers"),
        ],
    }
)
frame()
try:
    page.run()
except NapError as error:
    show_error(error)
behind_the_page()
