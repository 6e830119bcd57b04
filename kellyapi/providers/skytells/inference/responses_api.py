"""`skytells.responses`: the Responses API, in one piece and as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Unpack

from attrs import evolve, field, frozen

from ...._core.extra_fields import take_extra
from ...._core.resource import Resource, drop_none
from ...._core.streams import EventStream, StreamRequest
from ...._data.arguments import NotBlank
from ...._data.decoding import decode
from ...._data.result import Result
from ....errors import DecodingError
from ....services.chat import Messages, write_messages
from .parameters import ResponseParameters

_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_TEXT_DELTA = "response.output_text.delta"


@frozen
class OutputContent:
    """A part of an output item."""

    type: str = "output_text"
    text: str | None = None
    annotations: tuple[object, ...] = ()


@frozen
class OutputItem:
    """One item of a response; usually a message."""

    id: str | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    content: tuple[OutputContent, ...] = ()
    phase: str | None = None


@frozen
class ResponseUsage:
    """The tokens that a response used."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: dict[str, object] = field(factory=dict)
    output_tokens_details: dict[str, object] = field(factory=dict)


@frozen(kw_only=True)
class ModelResponse(Result):
    """The complete response of a model.

    Source: https://github.com/Skytells/ts-sdk (src/types/inference.types.ts)
    """

    id: str
    status: str
    """"completed", "incomplete", "failed", or another string."""
    model: str | None = None
    created_at: float | None = None
    """Seconds since 1970."""
    output: tuple[OutputItem, ...] = ()
    usage: ResponseUsage | None = None
    content_filters: tuple[dict[str, object], ...] = ()
    error: object = None
    incomplete_details: object = None
    previous_response_id: str | None = None
    metadata: dict[str, object] = field(factory=dict)

    @property
    def text(self) -> str:
        """The whole text of the output."""
        return "".join(piece.text or "" for item in self.output for piece in item.content)


@frozen(kw_only=True)
class ResponseEvent:
    """An event in the stream of a response."""

    type: str
    """"response.created", "response.output_text.delta", "response.completed", or another string."""
    sequence_number: int | None = None
    delta: str | None = None
    """The text that was added, in events whose type ends in ".delta"."""
    text: str | None = None
    """The whole text of a part, in the event that ends the part."""
    response: ModelResponse | None = None
    """The response so far, in events about its beginning and its end."""
    data: dict[str, Any] = field(factory=dict, repr=False)
    """The whole event, as parsed JSON."""


class ResponseStream(EventStream[ResponseEvent]):
    """A response that arrives event by event.

    `texts()` yields only the text. `response` is the last state of the response. After the last event it is complete,
    even if the response failed or is incomplete. If the stream breaks off, `error.partial` is a `ModelResponse` with
    what had arrived.

    Example::

        async with skytells.responses.stream("deepbrain-router", "Tell me a story.") as stream:
            async for event in stream:
                print(event.type, event.delta)

    Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
    """

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._texts: list[str] = []
        self.response: ModelResponse | None = None

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return "".join(self._texts)

    async def texts(self) -> AsyncIterator[str]:
        """Enter the stream, and yield the text as it arrives."""
        async with self:
            async for event in self:
                if event.type == _TEXT_DELTA and event.delta:
                    yield event.delta

    async def finish(self) -> ModelResponse:
        """Read the stream to its end, and return the complete response."""
        async for _ in self:
            pass
        assert self.response is not None  # otherwise the stream has raised an error
        return self.response

    def _handle_event(self, value: Any) -> ResponseEvent | None:
        type = value.get("type")
        if not isinstance(type, str):
            self._raise_reported_error(value)
            return None
        number, delta, text = value.get("sequence_number"), value.get("delta"), value.get("text")
        event = ResponseEvent(
            type=type,
            sequence_number=number if isinstance(number, int) else None,
            delta=delta if isinstance(delta, str) else None,
            text=text if isinstance(text, str) else None,
            response=_read_state(value.get("response"), needed=type in _LAST_EVENTS),
            data=value,
        )
        if type == _TEXT_DELTA:
            if event.delta is None:
                raise DecodingError("a delta of the text has no text")
            self._texts.append(event.delta)
        self.response = event.response or self.response
        if type in _LAST_EVENTS:
            if event.response is None:
                raise DecodingError(f"{type} comes without the response")
            self._ended = True
        return event

    def _events_of_whole(self, value: Any) -> Iterable[Any]:
        text = decode(value, ModelResponse).text
        yield {"type": _TEXT_DELTA, "delta": text}
        yield {"type": "response.completed", "response": value}

    def _is_complete(self) -> bool:
        return False  # the last event ends the stream

    def _check_complete(self) -> None:
        if self.response is None or self.response.status in ("queued", "in_progress"):
            raise DecodingError("the stream has no whole response")

    def _partial(self) -> ModelResponse | None:
        if not self._texts:
            return self.response
        said = OutputItem(type="message", role="assistant", content=(OutputContent("output_text", self.text),))
        return evolve(self.response or ModelResponse(id="", status="incomplete"), output=(said,))


def _read_state(value: Any, *, needed: bool) -> ModelResponse | None:
    """Read the response of an event. Only the last event needs it."""
    if not isinstance(value, dict):
        return None
    try:
        return decode(value, ModelResponse)
    except DecodingError:
        if needed:
            raise
        return None


class ResponsesResource(Resource):
    """The Responses API.

    Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
    """

    async def create(self, model: NotBlank, input: Messages, **parameters: Unpack[ResponseParameters]) -> ModelResponse:
        """Send a text or a conversation to a language model.

        Args:
            model: The slug of a model, such as "deepbrain-router".
            input: A string, or `Message(role, content)` objects or dicts.
            **parameters: Optional parameters, such as `instructions="Be brief."`, named as in the API documentation of
                Skytells. An unknown name raises `TypeError`. `previous_response_id` continues a response that was
                created with `store=True`. `extra_body`, `extra_query` and `extra_headers` add what has no parameter
                yet; see `ExtraFields`.

        Example::

            response = await skytells.responses.create("deepbrain-router", "Name three rivers of Ghana.")
            print(response.text)
        """
        extra = take_extra(parameters)
        data = _response_body(model, input, parameters)
        return await self._post_json("/responses", data, into=ModelResponse, extra=extra)

    def stream(self, model: NotBlank, input: Messages, **parameters: Unpack[ResponseParameters]) -> ResponseStream:
        """Send a text or a conversation to a language model, and receive the events of its response.

        The arguments are those of `create`. Errors are raised when the `async with` block is entered.

        Example::

            async for text in skytells.responses.stream("deepbrain-router", "Tell me a story.").texts():
                print(text, end="")
        """
        extra = take_extra(parameters)
        data = _response_body(model, input, parameters)
        return self._stream_events("/responses", data, into=ResponseStream, extra=extra)


def _response_body(model: NotBlank, input: Messages, parameters: ResponseParameters) -> dict[str, Any]:
    asked = input if isinstance(input, str) else write_messages(input, "input")
    return {"model": model, "input": asked, **drop_none(**parameters)}
