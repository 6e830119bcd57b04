"""What a type checker must accept and refuse. mypy reads it, and reports an `ignore` that is not needed."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import aiohttp
import numpy as np
from aiohttp import web
from attrs import frozen
from numpy.typing import NDArray
from PIL.Image import Image as Picture
from starlette.datastructures import UploadFile

from kellyapi import (
    Base64,
    ByteStream,
    ChatCompletion,
    ChatReply,
    ChatStream,
    Embeddings,
    Filtered,
    FunctionCallItem,
    Image,
    JSONEventStream,
    Kelly,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Logprobs,
    ManyResults,
    Message,
    Music,
    ParsedReply,
    Prediction,
    ProviderName,
    ReasoningItem,
    SafetyEvaluation,
    SafetyTemplate,
    ServiceProvider,
    Skytells,
    Speech,
    ToolCall,
    Transcript,
    Translation,
    Video,
    run_many,
)
from kellyapi.providers.aerostack.ai import AI
from kellyapi.providers.aerostack.cache import Cache
from kellyapi.providers.skytells.enums import SkytellsErrorId
from kellyapi.services.chat import CharacterChat, ChatCompletions, LanguageModels
from kellyapi.services.embed import Embedder
from kellyapi.services.images import ImageGenerator, KellyImages
from kellyapi.services.music import MusicGenerator
from kellyapi.services.synthesize import EnglishSpeaker, KhayaSpeaker
from kellyapi.services.transcribe import EnglishTranscriber, KhayaTranscriber
from kellyapi.services.translate import Translator
from kellyapi.services.video import VideoGenerator


async def providers_are_named_by_literals(api: KellyAPI, name: ProviderName) -> None:
    result: Translation = await api.translate("a", "en-tw", provider="khaya", fallback=("khaya", "kelly"))
    await api.chat(result.text, provider=name)
    await api.translate("a", "en-tw", provider="openai")  # type: ignore[arg-type]  # it is no provider
    await api.translate("a", "en-tw", fallback=("khaya", "openai"))  # type: ignore[arg-type]  # nor here


async def many_calls_have_the_type_of_one(api: KellyAPI, texts: list[str], rows: AsyncIterator[str]) -> None:
    done: tuple[Translation | KellyAPIError, ...] = await run_many(lambda text: api.translate(text, "en-tw"), texts)
    done = await api.translate_many(texts, "en-tw", provider="khaya", window=4)
    spoken: tuple[Speech | KellyAPIError, ...] = await api.synthesize_many(iter(texts), "twi", format="mp3")
    heard: tuple[Transcript | KellyAPIError, ...] = await api.transcribe_many([Path(), b"", *texts], timestamps="word")
    print(spoken, heard)
    many: ManyResults[Speech] = run_many(api.synthesize, rows, window=4, on_progress=print)
    async for speech in many:
        if not isinstance(speech, KellyAPIError):
            print(speech.audio, done)
    run_many(len, texts)  # type: ignore[arg-type]  # it is not async


class Phrasebook:
    """A provider of the user's own."""

    name = "phrasebook"

    async def translate(self, text: str, pair: str) -> str:
        return text


async def providers_of_the_users_own_are_objects(provider: ServiceProvider) -> None:
    api = KellyAPI(providers=["khaya", Phrasebook(), provider])
    result: Translation = await api.translate("a", "en-tw", provider=provider, fallback=[provider, "khaya"], via="en")
    between: Translation | None = result.intermediate
    await api.translate("a", "en-tw", provider=Phrasebook(), fallback=(Phrasebook(),))
    await api.translate(between.text if between else "a", "en-tw", provider="phrasebook")  # type: ignore[arg-type]  # unknown
    await api.translate("a", "en-tw", provider="khya")  # type: ignore[arg-type]  # misspelt
    KellyAPI(providers=["khya"])  # type: ignore[list-item]  # misspelt
    KellyAPI(providers=[object()])  # type: ignore[list-item]  # it has no name
    KellyAPI.sandbox(providers=[Phrasebook()], timeout=5)


@frozen
class Recipe:
    title: str


async def replies_are_read_into_a_class(api: KellyAPI) -> None:
    recipe: Recipe = (await api.chat("a", into=Recipe)).parsed
    reply: ParsedReply[Recipe] = await api.chat([Message("user", "a")], into=Recipe, max_tokens=5)
    plain: ChatReply = await api.chat("a")
    print(plain.parsed)  # type: ignore[attr-defined]  # without `into` there is none
    async with api.chat_stream("a", into=Recipe) as stream:
        async for piece in stream:
            print(piece.upper(), stream.text)
    title: str = stream.reply.parsed.title
    finished: Recipe = (await api.chat_stream("a", into=Recipe).finish()).parsed
    texts: ChatStream = api.chat_stream("a", temperature=1)
    wrong: int = reply.parsed  # type: ignore[assignment]  # it is a recipe
    await api.chat("a", into="Recipe")  # type: ignore[call-overload]  # it is no class
    print(recipe, reply, plain, title, finished, texts, wrong)


def clients_are_attributes(api: KellyAPI) -> tuple[Kelly, Khaya, Skytells]:
    return api.kelly, api.khaya, api.skytells


async def filters_and_options_are_named(skytells: Skytells) -> None:
    async for prediction in skytells.predictions.iterate(status="succeeded", model="m", per_page=5):
        print(prediction.id)
    skytells.predictions.iterate(statsu="succeeded")  # type: ignore[call-arg]  # a misspelt filter
    await skytells.predictions.list(since=5)  # type: ignore[arg-type]  # it is no date
    await skytells.run("m", {}, timeout=5.0, cancel_on_exit=True)
    await skytells.run("m", {}, timeuot=5.0)  # type: ignore[call-arg]  # a misspelt option


async def what_a_download_returns_depends_on_where_it_goes(api: KellyAPI, file: IO[bytes]) -> None:
    path: Path = await api.download("https://d.example/a.png", "a.png")
    size: int = await api.download("https://d.example/a.png", file)
    paths: tuple[Path, ...] = await api.skytells.predictions.download("a1", path)
    size = await api.skytells.predictions.download("a1", io.BytesIO(), index=0)
    path = await api.aerostack.storage.download("key", path)
    size += await api.aerostack.storage.download("key", file)
    data: bytes = await api.skytells.predictions.read_output("a1") + await api.aerostack.storage.download("key")
    async with api.skytells.predictions.stream_output("a1") as stream:
        async for piece in stream:
            data += piece
    print(paths, size, data)
    await api.download("https://d.example/a.png", 5)  # type: ignore[call-overload]  # nothing can be written to it


async def generated_files_have_types(api: KellyAPI) -> None:
    def show(state: Prediction) -> None:
        print(state.progress)

    async def note(state: Prediction) -> None:
        print(state.id)

    fox: Image = await api.generate_image("a fox", width=768, timeout=60, on_progress=show)
    foxes: tuple[Image, ...] = await api.generate_images("a fox", 3, on_progress=note, cancel_on_exit=False)
    video: Video = await api.generate_video("a fox", image=fox, input={"fps": 30})
    music: Music = await api.skytells.generate_music("highlife", lyrics="la", timeout=None)
    found: Embeddings = await api.embed(["a fox"])
    price: float | None = foxes[0].credits
    id: str | None = video.prediction_id
    print(price, id, music.duration, found.vectors[0][0] + 1)
    await api.generate_image("a fox", timeout="60")  # type: ignore[arg-type]  # it is a number
    await api.generate_images("a fox")  # type: ignore[call-arg]  # how many?


async def sources_of_media_have_types(
    khaya: Khaya,
    kelly: Kelly,
    upload: UploadFile,
    field: web.FileField,
    stream: aiohttp.StreamReader,
    picture: Picture,
    speech: Speech,
    image: Image,
    pieces: Iterator[bytes],
    later: AsyncIterator[bytes],
    array: NDArray[np.uint8],
) -> None:
    await khaya.transcribe(upload, "twi")
    await khaya.transcribe(field, "twi")
    await khaya.transcribe(stream, "twi")
    await khaya.transcribe(speech, "twi")
    await khaya.transcribe(pieces, "twi")
    await khaya.transcribe(later, "twi")
    await khaya.transcribe(Path(), "twi")
    await khaya.transcribe(Base64("", "audio/wav"), "twi")
    await kelly.upscale_image(picture)
    await kelly.upscale_image(image)
    await kelly.upscale_image(array)
    await khaya.transcribe(5, "twi")  # type: ignore[arg-type]  # it is no source
    await khaya.transcribe(["a"], "twi")  # type: ignore[arg-type]  # nor is a list


async def raw_requests_have_the_type_that_they_are_read_into(khaya: Khaya, skytells: Skytells) -> None:
    found: Prediction = await skytells.request("GET", "/predictions/p1", into=Prediction)
    names: dict[str, str] = await khaya.request("GET", "/v1/languages", into=dict[str, str], query={"a": ["b", 1]})
    many: tuple[Prediction, ...] = await skytells.request("GET", "/predictions", into=tuple[Prediction, ...])
    data: bytes = await skytells.request("POST", "/a", form={"a": 1, "b": Path(), "c": found.id}, into=bytes)
    await skytells.request("POST", "/a", json=[names, many], into=None, repeatable=True)
    await skytells.request("POST", "/a", data=5)  # type: ignore[call-overload]  # it is no source
    await skytells.request("POST", "/a", body=data)  # type: ignore[call-overload]  # a misspelt argument
    pieces: ByteStream = skytells.stream("GET", "/a", into=bytes)
    events: JSONEventStream[Prediction] = skytells.stream("GET", "/a", into=Prediction)
    async for each in skytells.stream("GET", "/a", headers={"A": "b"}):
        print(each["choices"], pieces, events)


async def extra_fields_are_named(api: KellyAPI) -> None:
    await api.skytells.chat.create("m", "a", extra_body={"seed": 7}, extra_query={"beta": True})
    await api.kelly.generate_image("a fox", extra_headers={"X-Trace": "t"})
    await api.skytells.run("m", {}, extra_bdy={})  # type: ignore[call-arg]  # a misspelt option
    await api.aerostack.ai.chat("a", extra_headers={"X-Trace": 5})  # type: ignore[dict-item]  # a header is text


async def messages_go_back_and_answers_are_typed(skytells: Skytells, ai: AI) -> None:
    completion = await skytells.chat.create("m", [Message("user", "a"), {"role": "user", "content": "b"}])
    message = completion.choices[0].message
    calls: tuple[ToolCall, ...] = message.tool_calls
    logprobs: Logprobs | None = completion.choices[0].logprobs
    reply = await ai.chat([message, Message("tool", "a", tool_call_id=calls[0].id)], tools=[{"type": "function"}])
    async for chunk in skytells.chat.stream("m", [reply.message, {"role": "user", "content": "b"}]).chunks():
        part: str | None = chunk.choices[0].delta.content
        print(part, logprobs)
    response = await skytells.responses.create("m", [message, Message("user", "a")])
    for item in response.output:
        if isinstance(item, FunctionCallItem):
            text: str = item.call_id + item.name + item.arguments
            print(text)
        elif isinstance(item, ReasoningItem):
            print(item.text.strip())
    await skytells.responses.create("m", [*response.output, {"type": "function_call_output"}])
    await skytells.chat.create("m", response.output)  # type: ignore[arg-type]  # items are no messages
    await skytells.chat.create("m", [reply])  # type: ignore[list-item]  # its message is one


async def findings_are_measured_by_a_template(skytells: Skytells, completion: ChatCompletion) -> None:
    found: SafetyEvaluation = skytells.safety.evaluate(completion, "moderate")
    skytells.safety.evaluate(completion.choices[0], SafetyTemplate("mine", ["hate"], "low", fail_on_filtered=True))
    some: Filtered = completion.choices
    filtered: bool = skytells.safety.was_filtered(some) or skytells.safety.was_filtered(
        await skytells.responses.create("m", "a")
    )
    print(found.failed, filtered, skytells.safety.read_filters(completion).results["hate"].severity)
    skytells.safety.evaluate(completion, "lax")  # type: ignore[arg-type]  # it is no template
    SafetyTemplate("mine", ["hate"], "hihg")  # type: ignore[arg-type]  # it is no severity


async def pages_are_collections(skytells: Skytells, cache: Cache) -> None:
    for prediction in await skytells.predictions.list():
        model: str | None = prediction.model
        print(model, prediction.model and prediction.model.type)
    keys: list[str] = [each.key for each in await cache.list()]
    print(len(await cache.list()), keys)


def members_are_known() -> str:
    return SkytellsErrorId.UNAUTHORIZED.value


def clients_fit_their_routes(kelly: Kelly, khaya: Khaya, skytells: Skytells, ai: AI) -> None:
    """Each client has what the routes of the services call."""
    kelly_chat: CharacterChat = kelly
    aerostack_chat: LanguageModels = ai
    skytells_chat: ChatCompletions = skytells.chat
    images: KellyImages = kelly
    generator: ImageGenerator = skytells
    videos: VideoGenerator = skytells
    music: MusicGenerator = skytells
    embedder: Embedder = skytells
    kelly_speech: EnglishSpeaker = kelly
    khaya_speech: KhayaSpeaker = khaya
    english: EnglishTranscriber = kelly
    transcriber: KhayaTranscriber = khaya
    translator: Translator = khaya
    print(
        kelly_chat,
        aerostack_chat,
        skytells_chat,
        images,
        generator,
        videos,
        music,
        embedder,
        kelly_speech,
        khaya_speech,
        english,
        transcriber,
        translator,
    )
