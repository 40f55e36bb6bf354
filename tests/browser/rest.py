"""When a page has come to rest."""

from __future__ import annotations


def settled(page) -> None:
    """Wait until the page's script has ended and nothing is left of what it drew before."""
    page.wait_for_timeout(400)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]:not(:has([data-stale=true]))")
