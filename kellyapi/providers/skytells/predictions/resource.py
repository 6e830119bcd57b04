"""`skytells.predictions`: create, poll, wait for, list, cancel, delete and download predictions."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import partial
from itertools import count
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypedDict, TypeVar, Unpack, overload

from attrs import evolve

from ...._core.callbacks import run_callback
from ...._core.extra_fields import ExtraFields, check_added_headers
from ...._core.late_response import LateResponse
from ...._core.messages import DEFAULT_TIMEOUT, TRANSFER_TIMEOUT, OnBytes, Timeout
from ...._core.resource import Resource, drop_none
from ...._core.run_many import DEFAULT_WINDOW, ManyResults, OnCount
from ...._core.streams import ByteStream
from ...._core.unfinished import UnfinishedWork
from ...._core.urls import Id, encode_path, is_link
from ...._data.arguments import Count, FilePath, Index, NotBlank, NotNegative, Range, build
from ...._data.decoding import Shape
from ...._data.embedded_files import EmbeddedFiles
from ...._data.files import find_destination, find_folder, save_file
from ...._data.json_text import dumps
from ...._data.media import Media
from ...._data.threads import to_thread
from ...._data.writables import Writable, WritableTarget
from ....errors import KellyAPIError, StatusError
from ..error_bodies import is_missing_route
from .cancel_on_exit import LATE_SECONDS, cancel_abandoned, create_or_cancel
from .outputs import (
    OutputLinks,
    OutputStream,
    is_file,
    is_file_path,
    output_files,
    pick_output,
    read_inline,
    save_outputs,
)
from .polling import OnState, Pace, PredictionPoller, read_pace
from .requests import PredictionRequest, Webhook, creation_body, open_files
from .types import (
    CHANGED_PREDICTION,
    CREATED_PREDICTION,
    PREDICTION,
    CreatedPrediction,
    Prediction,
    PredictionPage,
    prediction_id,
    require_success,
)

T = TypeVar("T")


class ListFilters(TypedDict, total=False):
    """The filters of `predictions.list`; `None` lists all."""

    since: NotBlank | date | None
    """The first day of creation in UTC, as a `date` or "YYYY-MM-DD". A `datetime` with a time zone counts as its day in
    UTC.
    """
    until: NotBlank | date | None
    """The last day of creation."""
    model: NotBlank | None
    status: NotBlank | None
    per_page: Annotated[int, Range(1, 50)] | None
    """The size of a page, from 1 to 50."""


class PredictionsResource(Resource):
    """Predictions.

    Source: https://github.com/Skytells/ts-sdk (src/client.ts), https://pypi.org/project/skytells/1.0.0/ (queue,
    dispatch), https://github.com/Skytells/cli (docs/predictions.md)
    """

    async def create(
        self,
        model: NotBlank,
        input: Mapping[str, Any],
        *,
        wait: bool = False,
        webhook: NotBlank | Webhook | Mapping[str, Any] | None = None,
        stream: bool = False,
        **extra: Unpack[ExtraFields],
    ) -> Prediction:
        """Create a prediction and return its first state.

        Args:
            model: The slug of a model, such as "truefusion-pro".
            input: The input of the model. `models.get(model, fields=["input_schema"])` returns its JSON Schema. Files
                anywhere in it are sent as `data:` URLs: bytes, a `Path`, a binary file, an upload of a web framework,
                an image of Pillow, an array of NumPy with the pixels of an image, an `Image` or `Speech`. A `str` is
                text. A file may have 10 MiB, all together 20 MiB.
            wait: Let the server respond only when the prediction has ended. A timeout then loses the id of a paid
                prediction, so prefer `run`, or `wait` or `follow` after `create`.
            webhook: An https URL, which is called for all events, or `Webhook(url, events)`.
            stream: Let the server stream the output; see `stream_info`.
            **extra: See `ExtraFields`.

        Raises:
            ValueError: A file is empty or too large. Nothing was sent.
            OSError: A file cannot be read. Nothing was sent.

        Example::

            wolf = await skytells.predictions.create("truefusion-pro", {"prompt": "A wolf"})
            print(wolf.id, wolf.status)
        """
        body = creation_body(model, input, wait=wait, webhook=webhook, stream=stream)
        return await self._create(body, extra, await open_files(body), into=PREDICTION)

    async def create_many(
        self,
        requests: Iterable[PredictionRequest | tuple[NotBlank, Mapping[str, Any]] | Mapping[str, Any]],
        *,
        window: Count = DEFAULT_WINDOW,
        on_progress: OnCount | None = None,
    ) -> tuple[Prediction | KellyAPIError, ...]:
        """Create several predictions concurrently.

        Args:
            requests: `PredictionRequest(model, input, webhook=…, stream=…)` objects, dicts with the same names, or
                pairs of model and input. Both may have extra fields too, such as `extra_body=…`.
            window: The most requests at once; see `run_many`.
            on_progress: A function, plain or async, that is called with the number of requests that are done, and the
                number of all.

        Returns:
            For each request, in the same order, the first state of the prediction or the error of the request.

        Raises:
            ValueError: A request is wrong, and none was sent. An argument of a wrong type raises `TypeError`.
            Exception: A key function, `on_response` or `on_progress` raised it. No other request is sent. It is raised
                when those that run have ended, with a note that names the predictions that were created.
        """
        prepared = [_read_request(each, f"requests[{place}]") for place, each in enumerate(requests)]
        bodies = [creation_body(each.model, each.input, webhook=each.webhook, stream=each.stream) for each in prepared]
        files = EmbeddedFiles()  # one that several requests have is opened once
        opened = [await open_files(body, files, f"requests[{place}].") for place, body in enumerate(bodies)]
        # raises for a value that JSON cannot hold, before the first request is sent and paid for
        dumps([body | dict(each.extra_body or {}) for body, each in zip(bodies, prepared, strict=True)])
        extras = [each.extra for each in prepared]
        for each in prepared:
            check_added_headers(each.extra_headers or {}, self._connection.provider, "extra_headers")
        ready = list(zip(bodies, extras, opened, strict=True))
        return await ManyResults(
            lambda each: self._create(*each, into=PREDICTION),
            ready,
            window=window,
            on_progress=on_progress,
            is_fatal=lambda error: not isinstance(error, KellyAPIError),  # no credits for one may be enough for another
            note=_describe_created,
        )

    async def run(
        self,
        model: NotBlank,
        input: Mapping[str, Any],
        *,
        webhook: NotBlank | Webhook | Mapping[str, Any] | None = None,
        stream: bool = False,
        interval: NotNegative | None = None,
        timeout: float | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = False,
        **extra: Unpack[ExtraFields],
    ) -> Prediction:
        """Create a prediction, wait for its end, and return its last state.

        Args:
            model: The slug of a model, such as "truefusion-pro".
            input: The input of the model; see `create`.
            webhook: See `create`.
            stream: See `create`.
            interval: Seconds between two polls; by default 0.5 s, growing to 5 s.
            timeout: Seconds for the whole call, including the creation. `None` waits without an end.
            on_progress: A function, plain or async, that is called with each new state. The first is the state that
                `create` returns. If it raises an exception, the waiting ends, and the prediction continues.
            cancel_on_exit: Cancel the prediction if the waiting ends before it does; see `follow`.
            **extra: For the request that creates the prediction; see `ExtraFields`.

        Raises:
            PredictionFailedError: The prediction failed or was cancelled.
            WaitTimeoutError: The prediction has not ended in time.
            RequestTimeoutError: The time was over before the prediction was created.

        Example::

            fox = await skytells.predictions.run("truefusion-pro", {"prompt": "A red fox"}, timeout=300)
            print(fox.outputs, fox.credits_used)
        """
        pace = read_pace(interval, timeout)
        started = asyncio.get_running_loop().time()
        body = creation_body(model, input, webhook=webhook, stream=stream)
        files = await open_files(body)
        into: Shape[Prediction | CreatedPrediction] = PREDICTION if on_progress else CREATED_PREDICTION
        connection = self._connection.limited_to(pace.timeout or inf)
        if cancel_on_exit:
            seconds = (connection.timeout or _creation_timeout(files, pace.timeout or None)).total
            late = LateResponse(LATE_SECONDS)
            resource = PredictionsResource(evolve(connection, late=late))
            creating = resource._create(body, extra, files, pace.timeout or None, into=into)
            logger, unfinished = connection.logger, self._unfinished
            created = await create_or_cancel(creating, late, seconds, self.cancel, logger, unfinished)
        else:
            resource = self if connection is self._connection else PredictionsResource(connection)
            created = await resource._create(body, extra, files, pace.timeout or None, into=into)
        poller = self._poller(created, pace, cancel_on_exit=cancel_on_exit)
        poller.started, poller.last = started, created if isinstance(created, Prediction) else None
        return await self._wait(poller, on_progress, cancel_on_exit=cancel_on_exit)

    async def get(self, prediction: Id | Prediction) -> Prediction:
        """Return the current state of a prediction, given by its id or an earlier state."""
        return await self._get(prediction)

    def follow(
        self,
        prediction: Id | Prediction,
        *,
        interval: NotNegative | None = None,
        timeout: float | None = 900.0,
        cancel_on_exit: bool = False,
    ) -> AsyncGenerator[Prediction, None]:
        """Yield each state of a prediction once, until it has ended.

        If a poll fails because of the connection, the server or a rate limit, the next poll follows after the usual
        pause, or after the pause that the server asks for.

        Args:
            prediction: The id, or an earlier state.
            interval: Seconds between two polls; by default 0.5 s, growing to 5 s.
            timeout: Seconds until `WaitTimeoutError` is raised. `None` waits without an end, 0 polls once.
            cancel_on_exit: Cancel the prediction if the loop ends before the prediction does: by an error, the timeout,
                a cancelled task, or `break`. After `break` it is cancelled at once within `contextlib.aclosing`,
                otherwise when the iterator is garbage-collected.

        Raises:
            WaitTimeoutError: The prediction has not ended in time.

        Example::

            async for state in skytells.predictions.follow(wolf):
                print(state.status, state.progress)
        """
        return self._states(prediction, read_pace(interval, timeout), cancel_on_exit=cancel_on_exit)

    async def wait(
        self,
        prediction: Id | Prediction,
        *,
        interval: NotNegative | None = None,
        timeout: float | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = False,
    ) -> Prediction:
        """Wait for the end of a prediction and return its last state.

        Args:
            prediction: The id, or an earlier state.
            interval: Seconds between two polls; by default 0.5 s, growing to 5 s.
            timeout: Seconds until `WaitTimeoutError` is raised. `None` waits without an end, 0 polls once.
            on_progress: A function, plain or async, that is called with each new state. If it raises an exception, the
                waiting ends.
            cancel_on_exit: Cancel the prediction if the waiting ends before it does; see `follow`.

        Raises:
            PredictionFailedError: The prediction failed or was cancelled.
            WaitTimeoutError: The prediction has not ended in time.
            KellyAPIError: Every error of the library has the last known state as `.prediction`. Other exceptions have a
                note with the id.

        Example::

            wolf = await skytells.predictions.wait(wolf, timeout=60)
            print(wolf.outputs)
        """
        poller = self._poller(prediction, read_pace(interval, timeout), cancel_on_exit=cancel_on_exit)
        return await self._wait(poller, on_progress, cancel_on_exit=cancel_on_exit)

    async def cancel(self, prediction: Id | Prediction) -> Prediction | None:
        """Cancel a prediction, and return its last state if the provider sends it, otherwise `None`."""
        path = encode_path("/predictions/{}/cancel", prediction_id(prediction))
        return await self._post_json(path, None, into=CHANGED_PREDICTION, repeatable=True)

    async def delete(self, prediction: Id | Prediction) -> Prediction | None:
        """Delete a prediction and its outputs, and return its last state if the provider sends it, otherwise `None`."""
        id = prediction_id(prediction)
        try:
            return await self._delete(encode_path("/predictions/{}/delete", id), into=CHANGED_PREDICTION)
        except StatusError as error:  # the provider's own command line uses the path without `/delete`
            if not is_missing_route(error):
                raise
            return await self._delete(encode_path("/predictions/{}", id), into=CHANGED_PREDICTION)

    async def stream_info(self, prediction: Id | Prediction) -> Prediction:
        """Return the state of a prediction that streams; `urls["stream"]` is the address of the stream."""
        return await self._fetch(encode_path("/predictions/{}/stream", prediction_id(prediction)), into=PREDICTION)

    async def list(self, *, page: Count = 1, **filters: Unpack[ListFilters]) -> PredictionPage:
        """Return one page of predictions, the newest first.

        Args:
            page: The number of the page; the first is 1.
            **filters: `since` and `until`, the first and the last day of creation in UTC, as a `date`, a `datetime` or
                "YYYY-MM-DD"; `model`; `status`; `per_page`, the size of the page, from 1 to 50.
        """
        days = {"from": _day(filters.get("since")), "to": _day(filters.get("until"))}
        others = {name: filters.get(name) for name in ("model", "status", "per_page")}
        query = {name: str(value) for name, value in drop_none(page=page, **days, **others).items()}
        return await self._fetch("/predictions", query, into=PredictionPage)

    async def pages(self, *, page: Count = 1, **filters: Unpack[ListFilters]) -> AsyncIterator[PredictionPage]:
        """Yield every page of predictions, starting with `page`; the filters are those of `list`."""
        ids: Iterable[str] = ()
        for number in count(page):
            current = await self.list(page=number, **filters)
            if current.items and ids == (ids := [each.id for each in current]):
                return  # the server does not read `page`
            yield current
            last = current.pagination.last_page
            if not current.items or (last is not None and number >= last) or isinstance(current.raw, list):
                return

    async def iterate(self, *, page: Count = 1, **filters: Unpack[ListFilters]) -> AsyncIterator[Prediction]:
        """Yield every prediction, page by page, the newest first; the arguments are those of `pages`."""
        async for current in self.pages(page=page, **filters):
            for prediction in current.items:
                yield prediction

    @overload
    async def download(
        self,
        prediction: Id | Prediction,
        to: FilePath,
        *,
        index: Index | None = None,
        overwrite: bool = True,
        on_progress: OnBytes | None = None,
    ) -> tuple[Path, ...]: ...
    @overload
    async def download(
        self,
        prediction: Id | Prediction,
        to: Writable,
        *,
        index: Index | None = None,
        overwrite: bool = True,
        on_progress: OnBytes | None = None,
    ) -> int: ...
    async def download(
        self,
        prediction: Id | Prediction,
        to: FilePath | Writable,
        *,
        index: Index | None = None,
        overwrite: bool = True,
        on_progress: OnBytes | None = None,
    ) -> tuple[Path, ...] | int:
        """Download the outputs of a prediction into a folder, or one output to a file or an object of yours.

        If a download to a path fails, its `.part` file is kept, and the next download to the same path resumes from it.
        Up to four files of a folder are downloaded at the same time. If some fail, the others are finished before the
        first error is raised. No key is sent. The links expire about five minutes after the prediction has ended; if
        one has expired, new links are requested once.

        Args:
            prediction: The id, or a state. A prediction that still runs has no outputs.
            to: The path of a folder, which is created if it is missing; the path of a file, which exists or has an
                ending such as ".png"; or an object with `write`, plain or async: an open binary file, `io.BytesIO`, a
                response of a server. Outputs that are text are written to a file or an object as UTF-8, and are not
                put into a folder.
            index: Download this output alone; the first is 0. A file or an object takes one output.
            overwrite: Replace files of the same names. With `False` the files of a folder get other names, and a file
                that exists is an error.
            on_progress: A function, plain or async, that is called with the bytes received and the bytes of all files,
                or `None` while a size is unknown.

        Returns:
            The paths of the files, or the number of bytes that an object got.

        Raises:
            PredictionFailedError: The prediction failed, so that there is no output for a file or an object.
            TransportError: The download broke off. If a part was written to an object, `error.partial` is the number of
                bytes.

        Example::

            paths = await skytells.predictions.download(wolf, "pictures")
            await skytells.predictions.download(wolf, "wolf.png")
        """
        if not isinstance(to, (str, os.PathLike)):
            return await self._write_output(prediction, await WritableTarget.open(to, "to"), index, on_progress)
        if await to_thread(is_file_path, to):
            return (await self._save_output(prediction, to, index, on_progress, overwrite=overwrite),)
        place = await to_thread(find_folder, to)
        links = await self._output_links(prediction)
        urls = output_files(links.state) if index is None else (pick_output(links.state, index),)
        if not all(map(is_file, urls)):
            raise ValueError(f"output {index} of prediction {links.state.id} is text: pass the path of a file")
        await to_thread(place.mkdir, parents=True, exist_ok=True)
        taken = [] if overwrite else await to_thread(os.listdir, place)
        save = partial(self._save_link, follow_links=False)  # the names of the files come from the server
        return await save_outputs(links, urls, place, on_progress, save=save, taken=taken)

    async def read_output(self, prediction: Id | Prediction, index: Index = 0) -> bytes:
        """Return one output of a prediction: the bytes of its file, or its text as UTF-8.

        Args:
            prediction: The id, or a state.
            index: The place of the output; the first is 0.

        Raises:
            PredictionFailedError: The prediction failed.
            DecodingError: The file is larger than the option `max_response_bytes`; `download` and `stream_output` have
                no limit.

        Example::

            picture = await skytells.predictions.read_output(wolf)
        """
        links, output = await self._find_output(prediction, index)
        if not is_link(output):
            return await read_inline(output)
        return (await links.use(output, self._download)).body

    def stream_output(self, prediction: Id | Prediction, index: Index = 0) -> ByteStream:
        """Stream one output of a prediction: the bytes of its file, or its text as UTF-8.

        No key is sent, and the memory used does not grow with the size of the file. If the stream breaks off,
        `error.partial` is the number of bytes that had arrived; `download` resumes.

        Args:
            prediction: The id, or a state.
            index: The place of the output; the first is 0.

        Example::

            async with skytells.predictions.stream_output(film) as pieces:
                async for piece in pieces:
                    await response.write(piece)
        """
        return OutputStream(self._connection, partial(self._find_output, prediction, index), self._link_call)

    @property
    def _unfinished(self) -> UnfinishedWork:
        return self._connection.transport.unfinished

    def _create(
        self,
        body: dict[str, Any],
        extra: ExtraFields,
        files: Mapping[str, Media],
        seconds: float | None = None,
        *,
        into: Shape[T],
    ) -> Coroutine[Any, Any, T]:
        timeout = _creation_timeout(files, seconds)
        return self._post_json("/predict", body, into=into, timeout=timeout, extra=extra, files=files)

    def _get(self, prediction: Id | Prediction | CreatedPrediction) -> Coroutine[Any, Any, Prediction]:
        return self._fetch(encode_path("/predictions/{}", prediction_id(prediction)), into=PREDICTION)

    async def _output_links(self, prediction: Id | Prediction) -> OutputLinks:
        has_outputs = isinstance(prediction, Prediction) and prediction.outputs
        return OutputLinks(prediction if has_outputs else await self.get(prediction), self.get)  # type: ignore[arg-type]  # mypy does not join the two

    async def _find_output(self, prediction: Id | Prediction, index: int | None) -> tuple[OutputLinks, str]:
        links = await self._output_links(prediction)
        return links, pick_output(links.state, index)

    async def _write_output(
        self, prediction: Id | Prediction, target: WritableTarget, index: int | None, on_progress: OnBytes | None
    ) -> int:
        links, output = await self._find_output(prediction, index)
        if is_link(output):
            return await links.use(output, lambda url: self._write_link(url, target, on_progress))
        await target.write(await read_inline(output))
        return await target.finish()

    async def _save_output(
        self,
        prediction: Id | Prediction,
        path: FilePath,
        index: int | None,
        on_progress: OnBytes | None,
        *,
        overwrite: bool,
    ) -> Path:
        place = await to_thread(find_destination, path)
        if not overwrite and place.status is not None:
            raise FileExistsError(errno.EEXIST, "exists already, and overwrite is False", os.fspath(path))
        links, output = await self._find_output(prediction, index)
        if not is_link(output):
            return await save_file(path, await read_inline(output))
        return await links.use(output, lambda url: self._save_link(url, path, on_progress))

    def _poller(
        self, prediction: Id | Prediction | CreatedPrediction, pace: Pace, *, cancel_on_exit: bool
    ) -> PredictionPoller:
        return PredictionPoller(prediction, self._poll, pace, self._connection.logger, cancels=cancel_on_exit)

    def _poll(self, prediction: Id | Prediction | CreatedPrediction, seconds: float) -> Coroutine[Any, Any, Prediction]:
        once = self._connection.without_retries  # the poller itself repeats a failed poll
        return PredictionsResource(once.limited_to(seconds))._get(prediction)

    async def _states(
        self, prediction: Id | Prediction, pace: Pace, *, cancel_on_exit: bool
    ) -> AsyncGenerator[Prediction, None]:
        poller = self._poller(prediction, pace, cancel_on_exit=cancel_on_exit)
        try:
            while not poller.ended:
                yield await poller.next_state()
        finally:
            if cancel_on_exit and not poller.ended:
                id = prediction_id(prediction)
                await cancel_abandoned(id, self.cancel, self._connection.logger, self._unfinished)

    async def _wait(self, poller: PredictionPoller, on_progress: OnState | None, *, cancel_on_exit: bool) -> Prediction:
        id = prediction_id(poller.prediction)
        try:
            state = poller.last or await poller.next_state()
            while True:
                if on_progress is not None:
                    await run_callback(on_progress, state)
                if state.ended:
                    return require_success(state)
                state = await poller.next_state()
        except KellyAPIError as error:
            error.prediction = error.prediction or poller.known
            raise
        except BaseException as error:  # from the callback, or because the task is cancelled
            error.add_note(f"the prediction is {id}")
            if not (cancel_on_exit or poller.ended):  # a task group drops the exception, and the id with it
                self._connection.logger.info("prediction %s continues, but nothing waits for it now", id)
            raise
        finally:
            if cancel_on_exit and not poller.ended:
                await cancel_abandoned(id, self.cancel, self._connection.logger, self._unfinished)


def _creation_timeout(files: Mapping[str, Media], seconds: float | None) -> Timeout:
    """Return the time limits of a creation for a client that was given none."""
    return evolve(TRANSFER_TIMEOUT, total=seconds) if files else DEFAULT_TIMEOUT


def _read_request(
    given: PredictionRequest | tuple[str, Mapping[str, Any]] | Mapping[str, Any], name: str
) -> PredictionRequest:
    if isinstance(given, (tuple, list)):
        return PredictionRequest(*given)
    return build(PredictionRequest, given, name)


def _describe_created(partial: tuple[Any, ...]) -> str | None:
    created = [each.id for each in partial if isinstance(each, Prediction)]
    return f"predictions that were created: {', '.join(created)}" if created else None


def _day(day: str | date | None) -> str | None:
    if isinstance(day, datetime) and day.tzinfo is not None:
        day = day.astimezone(UTC)  # the provider's days are those of UTC
    return day.isoformat()[:10] if isinstance(day, date) else day  # a datetime is a date too: [:10] leaves the day
