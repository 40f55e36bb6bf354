"""What the pages are made of; the only part of the package that imports streamlit.

Until a server has once run an `app.py` that calls ``st.navigation``, Streamlit takes a folder ``pages/`` for the older
kind of multi-page app, and a first visitor who follows a link to a page never meets `app.py`. The first page to come
here sends that visitor on.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    st.rerun()
