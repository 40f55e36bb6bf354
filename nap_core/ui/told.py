"""What changes at every click, told to a component apart from its drawing, which is large and is so sent but once."""

from __future__ import annotations

from typing import Any

import streamlit as st

_told = st.components.v2.component(
    "nap_told",
    html="",
    js="""export default function ({ data }) {
  (globalThis.napTold ??= new Map()).set(data.of, data.value);
  document.dispatchEvent(new CustomEvent("nap-told", { detail: data.of }));
}""",
)


def tell(of: str, value: Any) -> None:
    """Tell the component that knows itself as `of` a small value; call it before the component is shown.

    Streamlit sends an element again whenever any of its data changed; one whose data are the same is not sent again.
    The component reads ``globalThis.napTold.get(of)`` and listens to the document's event ``nap-told``.
    """
    _told(key=f"told-{of}", data={"of": of, "value": value})
