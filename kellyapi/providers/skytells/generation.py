"""Generate files: make the input of a model, run its predictions, and download their outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from operator import index
from typing import Any, TypeVar

from attrs import evolve, frozen

from ..._core.connection import Connection
from ..._core.extra_fields import ExtraFields
from ..._core.messages import TRANSFER_TIMEOUT, Response
from ..._core.resource import Resource
from ..._core.urls import is_link
from ..._data.base64_text import is_inline_file
from ..._data.media_types import sniff
from ..._data.result import with_origin_of
from ...errors import DecodingError, KellyAPIError, RequestTimeoutError
from ...services.generated import MediaFile, OnState, gather_paid
from .input_schemas import InputSchemas, Schema
from .model_inputs import fit_input, split_count
from .models import ModelsResource
from .predictions.outputs import read_inline_file
from .predictions.resource import PredictionsResource
from .predictions.types import Prediction

R = TypeVar("R", bound=MediaFile)

_KINDS = {"image": "an image", "video": "a video", "audio": "audio"}
"""What files are, by what their MIME types begin with."""
_MIN_DOWNLOAD_SECONDS = 1.0
"""Seconds that a download has although the time of the call is over, since the prediction is paid for."""
_REMEDY = "predictions.download(error.prediction, folder) saves the outputs, which are paid for"


@frozen(kw_only=True)
class Generation:
    """What one call generates, and how it waits."""

    model: str
    prompt: str
    arguments: Mapping[str, Any]
    """What is sent under the names of the model; `None` stands for what was not passed."""
    input: Mapping[str, Any] | None
    """Inputs by their own names, which replace the others."""
    timeout: float | None
    on_progress: OnState | None
    cancel_on_exit: bool
    extra: ExtraFields


class GenerationResource(Resource):
    """Generates images, videos and music.

    Source: https://learn.skytells.ai/docs/api/v1/models/schemas, https://github.com/Skytells/cli (docs/predictions.md)
    """

    def __init__(self, connection: Connection, schemas: InputSchemas) -> None:
        super().__init__(connection)
        self._schemas = schemas

    async def generate_one(self, wanted: Generation, result: type[R], media: str) -> R:
        """Run a prediction, and download its first output; `media` is what its MIME type begins with."""
        end = _end_of(wanted)
        input, _ = await self._make_input(wanted, end)
        done = await self._run(wanted, input, end)
        return (await self._download_outputs(done, done.outputs[:1], result, media, end))[0]

    async def generate_several(self, wanted: Generation, result: type[R], media: str, n: int) -> tuple[R, ...]:
        """Run the predictions that together have `n` outputs, at the same time, and download all outputs."""
        n = index(n)  # it may be of another library
        end = _end_of(wanted)
        input, schema = await self._make_input(wanted, end, counts=n > 1)

        async def run(part: Mapping[str, Any]) -> tuple[R, ...]:
            done = await self._run(wanted, {**part, **input}, end)
            made = await self._download_outputs(done, done.outputs, result, media, end)
            count = int(next(iter(part.values()), 1))
            if len(made) < count:
                problem = f"prediction {done.id} has {len(made)} outputs instead of {count}"
                error = DecodingError(problem, provider="skytells", prediction=done)
                error.partial = made
                raise error
            return made

        return await gather_paid(map(run, split_count(schema, n) if n > 1 else [{}]))

    async def _make_input(
        self, wanted: Generation, end: float, *, counts: bool = False
    ) -> tuple[dict[str, Any], Schema]:
        """Return the input of the model, and its schema if the arguments or the number of outputs need it."""
        given = any(value is not None for value in wanted.arguments.values())
        schema = await self._find_schema(wanted.model, end) if given or counts else None
        fitting = fit_input(wanted.model, schema, **wanted.arguments)
        return {"prompt": wanted.prompt, **fitting, **(wanted.input or {})}, schema

    async def _find_schema(self, model: str, end: float) -> Schema:
        async def fetch() -> Schema:
            return (await ModelsResource(self._connection).get(model, fields="input_schema")).input_schema

        timer = asyncio.timeout_at(None if end == inf else end)
        try:
            async with timer:
                return await self._schemas.get(self._connection.base_url, model, fetch)
        except TimeoutError:
            if not timer.expired():
                raise
            problem = f"the input schema of {model} did not arrive in time"
            raise RequestTimeoutError(problem, limit="total", sent=False, provider="skytells") from None

    async def _run(self, wanted: Generation, input: Mapping[str, Any], end: float) -> Prediction:
        return await PredictionsResource(self._connection).run(
            wanted.model,
            input,
            timeout=None if end == inf else max(end - _now(), 0.001),  # 0 would poll once
            on_progress=wanted.on_progress,
            cancel_on_exit=wanted.cancel_on_exit,
            **wanted.extra,
        )

    async def _download_outputs(
        self, done: Prediction, outputs: Sequence[str], result: type[R], media: str, end: float
    ) -> tuple[R, ...]:
        """Download outputs of a prediction, of which there must be one at least."""
        credits = None if done.credits_used is None else round(done.credits_used / max(len(done.outputs), 1), 12)

        async def one(output: str) -> tuple[R, ...]:
            response = await self._download_output(output, done, end)
            mime = _find_type(response, media)
            if mime is None:
                raise DecodingError(f"the output of prediction {done.id} is not {_KINDS[media]}", provider="skytells")
            made = result(data=response.body, mime=mime, prediction_id=done.id, credits=credits, provider="skytells")
            return (with_origin_of(done, made),)

        try:
            return await gather_paid(map(one, outputs or ("",)))
        except KellyAPIError as error:
            error.prediction = done
            if outputs:
                error.remedy = "; ".join(filter(None, (error.remedy, _REMEDY)))
            raise
        except BaseException as error:  # such as that of a cancelled task: the prediction is paid for
            error.add_note(f"the prediction is {done.id}")
            raise

    async def _download_output(self, url: str, done: Prediction, end: float) -> Response:
        if is_inline_file(url):
            mime, data = await read_inline_file(url)
            return Response(status=200, headers={"Content-Type": mime}, body=data)
        if not is_link(url):
            raise DecodingError(f"prediction {done.id} succeeded without a link to its output", provider="skytells")
        return await Resource(_connection_until(self._connection, end))._download(url)


def _end_of(wanted: Generation) -> float:
    return inf if wanted.timeout is None else _now() + wanted.timeout


def _find_type(response: Response, media: str) -> str | None:
    """Return the MIME type of a file, by its bytes or as it was declared, if it is of the wanted kind."""
    types = (sniff(response.body), response.content_type) if response.body else ()
    return next((mime for mime in types if mime and mime.startswith(f"{media}/")), None)


def _connection_until(connection: Connection, end: float) -> Connection:
    """Return a connection whose calls end with the time of the call, but have at least a second."""
    if end == inf:
        return connection
    timeout = connection.timeout or TRANSFER_TIMEOUT
    left = max(end - _now(), _MIN_DOWNLOAD_SECONDS)
    return evolve(
        connection, timeout=evolve(timeout, total=left if timeout.total is None else min(left, timeout.total))
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
