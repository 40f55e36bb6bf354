"""When a page has come to rest."""

from __future__ import annotations

import time
from typing import Any

AT_REST = (
    "[data-testid=stApp][data-test-script-state=notRunning]:not(:has([data-stale=true], [data-testid=stSkeleton]))"
)


def settled(page: Any) -> float:
    """Wait until the page's script has ended and nothing is left of what it drew before.

    Return since when (`time.perf_counter`).
    """
    while True:
        page.wait_for_selector(AT_REST)
        since = time.perf_counter()
        page.wait_for_timeout(400)
        if page.locator(AT_REST).count():
            return since
