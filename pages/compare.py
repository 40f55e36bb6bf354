"""Compare: two models, layers or clusterings on the same images: what stays together, and what moves."""

import streamlit as st

from nap_core.ui.compare_choice import pick_left, pick_right
from nap_core.ui.compare_panel import (
    agreement_by_layer,
    clickable_comparison,
    compared,
    headline,
    nothing_differs,
    sides,
)
from nap_core.ui.compare_rows import aligned_rows
from nap_core.ui.pins import pinned_cards
from nap_core.ui.resources import current_study

left = pick_left(current_study())
right = pick_right(left)

st.title("What differs?")
comparison = compared(left, right)
if comparison is not None:
    st.caption(sides(left, right, comparison))
    if not nothing_differs(comparison):
        st.markdown(headline(left, right, comparison))
        clickable_comparison(left, right, comparison)
        agreement_by_layer(left, right)
        aligned_rows(left, right, comparison)
pinned_cards()
