"""The browser's Back: one step of the reader is one entry of the history, and Back comes to the view before."""

from __future__ import annotations

import streamlit as st

# Streamlit 1.67 adds an entry whenever the address changes, so a page that writes into its address on arriving adds
# two or three, and Back comes to half-written ones first: here all that follows one click or key is one entry. And on
# the way back to another page it forgets what both pages keep in the address under one name, such as the layer: once
# the page is there, it is asked for the address again.
_steps = st.components.v2.component(
    "nap_steps",
    html="",
    js="""export default function () {
  if (globalThis.napSteps) return;
  globalThis.napSteps = true;
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  let isFirst = false; // of what the reader's latest step leads to
  let here = location.pathname, wanted = null;
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, () => {
      isFirst = true;
      wanted = null;
    }, true);
  window.addEventListener("popstate", (event) => {
    isFirst = false;
    if (event.isTrusted) wanted = location.pathname === here ? null : location.href;
    here = location.pathname;
  }, true);
  history.pushState = (...entry) => {
    if (isFirst) push(...entry);
    else history.replaceState(...entry);
    isFirst = false;
    here = location.pathname;
  };
  history.replaceState = (...entry) => {
    replace(...entry);
    if (wanted === null || location.href === wanted) return;
    const again = wanted;
    wanted = null;
    replace({}, "", again);
    setTimeout(() => location.href === again && window.dispatchEvent(new PopStateEvent("popstate", { state: {} })));
  };
}""",
)


def count_steps() -> None:
    """Make Back go back by steps of the reader; drawn where an empty element takes no room."""
    _steps(key="steps")
