"""The browser's Back: one step of the reader is one entry of the history, and Back comes to the view before."""

from __future__ import annotations

import streamlit as st

# Streamlit 1.67 adds an entry whenever the address changes, so a page that writes into its address on arriving adds
# two or three, and Back comes to half-written ones first: here all that follows one click or key is one entry. What a
# page still writes when its reader has clicked a link to another gives way to the other, and what the reader saw stays
# before it. A first click may come before this is there to see it: the first other page is a step without one. And on
# the way back to another page Streamlit forgets what both pages keep in the address under one name, such as the layer:
# once the page is there, it is asked for the address again.
_steps = st.components.v2.component(
    "nap_steps",
    html="",
    js="""export default function () {
  if (globalThis.napSteps) return;
  globalThis.napSteps = true;
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  const isElsewhere = (address) => new URL(address, location.href).pathname !== location.pathname;
  let next = "page"; // what counts as a step: a change of the page, or of the address; or nothing until the reader acts
  let here = location.pathname, wanted = null;
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, () => {
      next = "address";
      wanted = null;
    }, true);
  window.addEventListener("popstate", (event) => {
    next = "nothing";
    if (event.isTrusted) wanted = location.pathname === here ? null : location.href;
    here = location.pathname;
  }, true);
  history.pushState = (...entry) => {
    if (next === "address" || (next === "page" && isElsewhere(entry[2]))) {
      push(...entry);
      next = "nothing";
    } else history.replaceState(...entry);
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
