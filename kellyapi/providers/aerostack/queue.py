"""Aerostack's queue of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from attrs import frozen

from ..._core.resource import Resource, drop_none
from ..._data.decoding import json_name
from ..._data.text import not_blank
from .pagination import CursorPage, iterate_pages


@frozen
class QueueJob:
    """A job, kept for seven days."""

    id: str
    status: str
    """"queued", "processing", "completed", "failed" or "cancelled"; others may come."""
    type: str | None = None
    data: object = None
    """Any JSON."""
    project_id: str | None = json_name("projectId", default=None)
    created_at: str | None = json_name("createdAt", default=None)
    """ISO 8601."""


@frozen
class Cancellation:
    """Whether a job was cancelled; the platform promises nothing for one that has begun."""

    success: bool
    note: str | None = None


@frozen
class _Enqueued:
    job_id: str = json_name("jobId")


@frozen
class _Found:
    job: QueueJob | None = None


@frozen
class _Listed:
    jobs: tuple[QueueJob, ...]
    list_complete: bool = True
    cursor: str | None = None


class Queue(Resource):
    """`aerostack.queue`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/queue_api.py)
    """

    async def enqueue(self, type: str, data: Any, *, delay: float | None = None) -> str:
        """Put a job in the queue, to begin in `delay` seconds or at once, and give its id."""
        body = {"type": not_blank(type, "type"), "data": data, **drop_none(delay=delay)}
        return (await self._post_json("/queue/enqueue", body, into=_Enqueued)).job_id

    async def job(self, id: str) -> QueueJob | None:
        """Look at a job; `None` when there is none of this id."""
        data = {"jobId": not_blank(id, "id")}
        return (await self._post_json("/queue/job", data, into=_Found, repeatable=True)).job

    async def jobs(
        self,
        *,
        status: str | None = None,
        type: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CursorPage[QueueJob]:
        """Give one page of jobs: up to `limit`, 50 by default and 200 at most."""
        data = drop_none(status=status, type=type, limit=limit, cursor=cursor)
        page = await self._post_json("/queue/jobs", data, into=_Listed, repeatable=True)
        return CursorPage(page.jobs, None if page.list_complete else page.cursor)

    def iterate(self, *, status: str | None = None, type: str | None = None) -> AsyncIterator[QueueJob]:
        """Give every job, page after page."""
        return iterate_pages(lambda cursor: self.jobs(status=status, type=type, limit=200, cursor=cursor))

    async def cancel(self, id: str) -> Cancellation:
        """Ask that a job be cancelled."""
        return await self._post_json(
            "/queue/cancel", {"jobId": not_blank(id, "id")}, into=Cancellation, repeatable=True
        )
