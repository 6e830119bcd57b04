"""`aerostack.queue`: jobs to be done later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from attrs import frozen

from ..._core.resource import Resource, drop_none
from ..._data.arguments import Count, NotBlank, NotNegative
from ..._data.decoding import Shape, json_name
from ..._data.result import Result
from .pagination import CursorPage, iterate_pages


@frozen
class QueueJob(Result):
    """A job. The platform keeps it for seven days."""

    id: str
    status: str
    """"queued", "processing", "completed", "failed", "cancelled", or another string."""
    type: str | None = None
    data: object = None
    """The input of the job: any JSON value."""
    project_id: str | None = json_name("projectId", default=None)
    created_at: str | None = json_name("createdAt", default=None)
    """ISO 8601."""


@frozen
class Cancellation(Result):
    """The result of cancelling a job. The platform may not cancel a job that has started."""

    success: bool
    """Whether the platform accepted the request."""
    note: str | None = None
    """A remark of the platform."""


@frozen
class _Enqueued:
    job_id: str = json_name("jobId")


@frozen
class _Found:
    job: QueueJob | None


@frozen
class _Listed:
    jobs: tuple[QueueJob, ...]
    list_complete: bool = True
    cursor: str | None = None


class Queue(Resource):
    """The queue of jobs.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/queue_api.py)
    """

    async def enqueue(self, type: NotBlank, data: Any, *, delay: NotNegative | None = None) -> str:
        """Add a job to the queue, and return its id.

        Args:
            type: The type of the job, such as "send-email".
            data: The input of the job: any JSON value.
            delay: Seconds until the job may start; by default it may start at once.

        Example::

            id = await aerostack.queue.enqueue("send-email", {"to": "ama@example.com"}, delay=60)
        """
        body = {"type": type, "data": data, **drop_none(delay=delay)}
        return await self._post_json("/queue/enqueue", body, into=_JOB_ID)

    async def job(self, id: NotBlank) -> QueueJob | None:
        """Return a job, or `None` if there is no job with this id."""
        data = {"jobId": id}
        return await self._post_json("/queue/job", data, into=_JOB, repeatable=True)

    async def jobs(
        self,
        *,
        status: NotBlank | None = None,
        type: NotBlank | None = None,
        limit: Count | None = None,
        cursor: NotBlank | None = None,
    ) -> CursorPage[QueueJob]:
        """Return one page of jobs.

        Args:
            status: Return only jobs with this status.
            type: Return only jobs of this type.
            limit: The size of the page: 50 by default, 200 at most.
            cursor: The `cursor` of the page before; `None` for the first page.
        """
        data = drop_none(status=status, type=type, limit=limit, cursor=cursor)
        return await self._post_json("/queue/jobs", data, into=_PAGE, repeatable=True)

    def iterate(self, *, status: NotBlank | None = None, type: NotBlank | None = None) -> AsyncIterator[QueueJob]:
        """Yield every job with this status and of this type, page by page."""
        return iterate_pages(lambda cursor: self.jobs(status=status, type=type, limit=200, cursor=cursor))

    async def cancel(self, id: NotBlank) -> Cancellation:
        """Cancel a job."""
        return await self._post_json("/queue/cancel", {"jobId": id}, into=Cancellation, repeatable=True)


_PAGE = Shape(_Listed, lambda page: CursorPage(page.jobs, None if page.list_complete else page.cursor))
_JOB_ID = Shape(_Enqueued, lambda found: found.job_id)
_JOB = Shape(_Found, lambda found: found.job)
