"""`skytells.responses`: the Responses API, in one piece and as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar, Unpack

from attrs import define, evolve, field, frozen

from ...._core.extra_fields import take_extra
from ...._core.resource import Resource, drop_none
from ...._core.streams import EventStream, StreamRequest
from ...._data.arguments import NotBlank
from ...._data.decoding import decode
from ...._data.result import with_origin_of
from ....errors import DecodingError
from .parameters import ResponseParameters
from .response_types import ModelResponse, OutputContent, OutputItem, OutputMessage, ResponseInput, write_input

T = TypeVar("T")

_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_TEXT_DELTA = "response.output_text.delta"


@frozen
class _Place:
    """Where a delta belongs in the JSON of an item."""

    item: str
    """The type of the item."""
    field: str
    parts: str | None = None
    """The list that has the part, if the field is one of a part; the index of the part is named after it."""
    part: str = ""
    """The type of the part."""
    index: str = ""


_DELTAS = {
    _TEXT_DELTA: _Place("message", "text", "content", "output_text", "content_index"),
    "response.refusal.delta": _Place("message", "refusal", "content", "refusal", "content_index"),
    "response.function_call_arguments.delta": _Place("function_call", "arguments"),
    "response.reasoning_text.delta": _Place("reasoning", "text", "content", "reasoning_text", "content_index"),
    "response.reasoning_summary_text.delta": _Place("reasoning", "text", "summary", "summary_text", "summary_index"),
}
"""The places of the deltas, by the types of their events."""


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
    arguments: str | None = None
    """The whole arguments of a function call, in the event that ends them."""
    item: OutputItem | None = None
    """The item that begins or ends, in "response.output_item.added" and "response.output_item.done"."""
    part: OutputContent | None = None
    """The part that begins or ends."""
    item_id: str | None = None
    output_index: int | None = None
    """The place of the item in the output."""
    response: ModelResponse | None = None
    """The response so far, in events about its beginning and its end."""
    data: dict[str, Any] = field(factory=dict, repr=False)
    """The whole event, as parsed JSON."""


class ResponseStream(EventStream[ResponseEvent]):
    """A response that arrives event by event.

    `texts()` yields only the text. `response` is the last state of the response. After the last event it is complete,
    with all function calls, even if the response failed or is incomplete. If the stream breaks off, `error.partial` is
    a `ModelResponse` with what had arrived.

    Example::

        async with skytells.responses.stream("deepbrain-router", "Tell me a story.") as stream:
            async for event in stream:
                print(event.type, event.delta)

    Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
    """

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._texts: list[str] = []
        self._output = _OutputAccumulator()
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
        event = ResponseEvent(
            type=type,
            sequence_number=_of_type(int, value.get("sequence_number")),
            delta=_of_type(str, value.get("delta")),
            text=_of_type(str, value.get("text")),
            arguments=_of_type(str, value.get("arguments")),
            item=self._read_part(value.get("item"), OutputItem),
            part=self._read_part(value.get("part"), OutputContent),
            item_id=_of_type(str, value.get("item_id")),
            output_index=_of_type(int, value.get("output_index")),
            response=_read_state(value.get("response"), needed=type in _LAST_EVENTS),
            data=value,
        )
        if type == _TEXT_DELTA:
            if event.delta is None:
                raise DecodingError("a delta of the text has no text")
            self._texts.append(event.delta)
        self._output.add(event)
        self.response = event.response or self.response
        if type in _LAST_EVENTS:
            if event.response is None:
                raise DecodingError(f"{type} comes without the response")
            self._ended = True
            if not event.response.output and type != "response.failed" and (output := self._output.items()):
                self.response = with_origin_of(event.response, evolve(event.response, output=output))
        return event

    def _read_part(self, value: Any, kind: type[T]) -> T | None:
        """Read an object of an event, which is not needed."""
        return decode(value, kind, self._source.connection.warn) if isinstance(value, dict) else None

    def _events_of_whole(self, value: Any) -> Iterable[Any]:
        response = decode(value, ModelResponse)
        for index, item in enumerate(response.output):
            if not isinstance(item, OutputMessage):
                yield {"type": "response.output_item.done", "output_index": index, "item": item.raw}
        yield {"type": _TEXT_DELTA, "delta": response.text}
        yield {"type": "response.completed", "response": value}

    def _is_complete(self) -> bool:
        return False  # the last event ends the stream

    def _check_complete(self) -> None:
        if self.response is None or self.response.status in ("queued", "in_progress"):
            raise DecodingError("the stream has no whole response")

    def _partial(self) -> ModelResponse | None:
        output = self._output.items()
        return (
            evolve(self.response or ModelResponse(id="", status="incomplete"), output=output)
            if output
            else self.response
        )


@define
class _OutputAccumulator:
    """Build the output of a response from the events of its stream."""

    _items: dict[int, dict[str, Any]] = field(factory=dict)
    """The JSON of the items, by their places in the output."""
    _deltas: dict[int, dict[tuple[_Place, int], list[str]]] = field(factory=dict)
    """The deltas of the items that have not ended yet."""
    _ended: set[int] = field(factory=set)
    _places: dict[str, int] = field(factory=dict)
    """The places of the items by their ids."""

    def add(self, event: ResponseEvent) -> None:
        """Add an event."""
        index = self._place_of(event)
        name, _, step = event.type.rpartition(".")
        if event.item is not None:
            self._items[index] = event.item.raw
            if step == "done":
                self._deltas.pop(index, None)
                self._ended.add(index)
        elif index not in self._ended and (place := _DELTAS.get(f"{name}.delta")):
            text = event.delta if step == "delta" else _of_type(str, event.data.get(place.field))
            if text is not None:
                part = _of_type(int, event.data.get(place.index)) or 0
                pieces = self._deltas.setdefault(index, {}).setdefault((place, part), [])
                if step == "done":  # it has the whole text
                    pieces.clear()
                pieces.append(text)

    def _place_of(self, event: ResponseEvent) -> int:
        """Return the place of the item of an event; some servers send only its id."""
        id = event.item_id or (event.item.id if event.item else None)
        index = event.output_index
        if index is None and id:
            index = self._places.get(id, max((*self._items, *self._deltas), default=-1) + 1)
        if id:
            self._places[id] = index or 0
        return index or 0

    def items(self) -> tuple[OutputItem, ...]:
        """Return what has arrived so far."""
        output = []
        for index in sorted(self._items.keys() | self._deltas.keys()):
            item = dict(self._items.get(index, {}))
            deltas = self._deltas.get(index, {})
            for place, part in sorted(deltas, key=lambda each: each[1]):
                text = "".join(deltas[place, part])
                item.setdefault("type", place.item)
                if place.parts is None:
                    item[place.field] = text
                else:
                    item[place.parts] = [*(item.get(place.parts) or ()), {"type": place.part, place.field: text}]
            output.append(decode(item, OutputItem))
        return tuple(output)


def _of_type(kind: type[T], value: Any) -> T | None:
    return value if isinstance(value, kind) else None


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

    async def create(
        self, model: NotBlank, input: ResponseInput, **parameters: Unpack[ResponseParameters]
    ) -> ModelResponse:
        """Send a text or a conversation to a language model.

        Args:
            model: The slug of a model, such as "deepbrain-router".
            input: A string, or `Message(role, content)` objects, items of an earlier response's `output`, messages of
                chat completions, or dicts. `Message("tool", result, tool_call_id=item.call_id)` is the result of a
                function call.
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

    def stream(self, model: NotBlank, input: ResponseInput, **parameters: Unpack[ResponseParameters]) -> ResponseStream:
        """Send a text or a conversation to a language model, and receive the events of its response.

        The arguments are those of `create`. Errors are raised when the `async with` block is entered.

        Example::

            async for text in skytells.responses.stream("deepbrain-router", "Tell me a story.").texts():
                print(text, end="")
        """
        extra = take_extra(parameters)
        data = _response_body(model, input, parameters)
        return self._stream_events("/responses", data, into=ResponseStream, extra=extra)


def _response_body(model: NotBlank, input: ResponseInput, parameters: ResponseParameters) -> dict[str, Any]:
    return {"model": model, "input": write_input(input), **drop_none(**parameters)}
