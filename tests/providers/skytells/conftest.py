"""Fixtures of the webhook tests."""

from __future__ import annotations

import pytest

from kellyapi import WebhookDelivery, WebhookReceiver

from .webhook_calls import listening


@pytest.fixture
def seen() -> list[WebhookDelivery]:
    return []


@pytest.fixture
def receiver(seen: list[WebhookDelivery]) -> WebhookReceiver:
    return listening(seen)
