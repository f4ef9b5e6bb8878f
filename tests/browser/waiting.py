"""What a page shows a moment later: `<details>` tells its scripts that it was opened in a task of its own."""

from __future__ import annotations

from typing import Any


def counted(found: Any, number: int) -> None:
    """Wait until a locator finds exactly `number` elements, and fail with both numbers where it never does."""
    from playwright.sync_api import expect

    expect(found).to_have_count(number)
