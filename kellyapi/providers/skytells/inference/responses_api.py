"""`skytells.responses`: model responses, whole and as the events of a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Unpack

from attrs import evolve, field, frozen

from ...._core.resource import Resource
from ...._core.streams import EventStream, StreamRequest
from ...._data.decoding import decode
from ...._data.text import not_blank
from ....errors import DecodingError
from ....services.chat import Messages, write_messages
from .parameters import ResponseParameters, check_parameters

_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_TEXT_DELTA = "response.output_text.delta"


@frozen
class OutputContent:
    """A piece of an output."""

    type: str
    text: str | None = None
    annotations: tuple[object, ...] = ()


@frozen
class OutputItem:
    """One item of a response: a message, mostly."""

    id: str | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    content: tuple[OutputContent, ...] = ()
    phase: str | None = None


@frozen
class ResponseUsage:
    """What a response cost, in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: dict[str, object] = field(factory=dict)
    output_tokens_details: dict[str, object] = field(factory=dict)


@frozen(kw_only=True)
class ModelResponse:
    """A whole response.

    Source: https://github.com/Skytells/ts-sdk (src/types/inference.types.ts)
    """

    id: str
    status: str
    """"completed", "incomplete", "failed", …; others may come."""
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
        """All text of the output."""
        return "".join(piece.text or "" for item in self.output for piece in item.content)


@frozen(kw_only=True)
class ResponseEvent:
    """Something that happened while a response was made."""

    type: str
    """"response.created", "response.output_text.delta", "response.completed", …; others come, and are passed on."""
    sequence_number: int | None = None
    delta: str | None = None
    """What was added, where something was."""
    text: str | None = None
    """The whole text of a piece that is done."""
    response: ModelResponse | None = None
    """The response as it stands, at its beginning and at its end."""
    data: dict[str, Any] = field(factory=dict, repr=False)
    """All that the event says."""


class ResponseStream(EventStream[ResponseEvent]):
    """A response that is still being made: `async with … as stream: async for event in stream: …`.

    `texts()` gives the text alone. `response` is the response as it stood last, and after the last event the whole one,
    also one that failed or is incomplete. An error on the way has what had arrived as `error.partial`, a
    `ModelResponse`.

    Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
    """

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._texts: list[str] = []
        self.response: ModelResponse | None = None

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return "".join(self._texts)

    async def texts(self) -> AsyncIterator[str]:
        """Give the text as it arrives, in place of the events."""
        async with self:
            async for event in self:
                if event.type == _TEXT_DELTA and event.delta:
                    yield event.delta

    async def finish(self) -> ModelResponse:
        """Wait for what is still to come, and give the whole response."""
        async for _ in self:
            pass
        assert self.response is not None  # or the stream has raised
        return self.response

    def _take(self, value: Any) -> ResponseEvent | None:
        type = value.get("type")
        if not isinstance(type, str):
            self._refuse(value)
            return None
        number, delta, text = value.get("sequence_number"), value.get("delta"), value.get("text")
        event = ResponseEvent(
            type=type,
            sequence_number=number if isinstance(number, int) else None,
            delta=delta if isinstance(delta, str) else None,
            text=text if isinstance(text, str) else None,
            response=decode(value["response"], ModelResponse) if isinstance(value.get("response"), dict) else None,
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

    def _from_whole(self, value: Any) -> Iterable[Any]:
        text = decode(value, ModelResponse).text
        yield {"type": _TEXT_DELTA, "delta": text}
        yield {"type": "response.completed", "response": value}

    def _may_end(self) -> bool:
        return False  # its last event ends it

    def _finish(self) -> None:
        if self.response is None or self.response.status in ("queued", "in_progress"):
            raise DecodingError("the stream has no whole response")

    def _partial(self) -> ModelResponse | None:
        if self.response is None or not self._texts:
            return self.response
        said = OutputItem(type="message", role="assistant", content=(OutputContent("output_text", self.text),))
        return evolve(self.response, output=(said,))


class ResponsesResource(Resource):
    """`skytells.responses`.

    Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
    """

    async def create(self, model: str, input: Messages, **parameters: Unpack[ResponseParameters]) -> ModelResponse:
        """Have a model respond to a text or a conversation.

        `previous_response_id` needs that the earlier one was created with `store=True`.
        """
        return await self._post_json("/responses", _response_body(model, input, parameters), into=ModelResponse)

    def stream(self, model: str, input: Messages, **parameters: Unpack[ResponseParameters]) -> ResponseStream:
        """Have a model respond, and get what happens meanwhile: `async with skytells.responses.stream(…) as stream:
        async for event in stream: …`.

        What it takes is what `create` takes; so are the errors, raised when the block is entered.
        """
        return self._stream_events("/responses", _response_body(model, input, parameters), into=ResponseStream)


def _response_body(model: str, input: Messages, parameters: ResponseParameters) -> dict[str, Any]:
    asked = not_blank(input, "input") if isinstance(input, str) else write_messages(input)
    return {"model": not_blank(model, "model"), "input": asked, **check_parameters(parameters, ResponseParameters)}
