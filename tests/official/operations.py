"""Table of the operations of the official Python packages and of ours for the same.

The official calls are written for synchronous clients; `clients.Awaited` adapts asynchronous ones.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen
from skytells import PredictionRequest as OfficialRequest

from kellyapi import Base64, PredictionRequest, Webhook

ID = "0b8f2a52-6d0c-4c8e-9f6e-0d6a5f0f1c11"
FOX = {"prompt": "a fox"}
WOLF = {"prompt": "a wolf"}
HOOK = {"url": "https://bot.example/hook", "events": ["completed", "failed"]}
WAV = "speech.wav"
"""An audio file in the working folder."""
WAV_BYTES = b"RIFF\x24\x00\x00\x00WAVEfmt \x00\r\n--\xff"
"""Content of the audio file."""
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
PICTURE64 = base64.b64encode(PICTURE).decode()
USER = {"email": "ama@example.com", "password": "correct horse"}
ODD = {"file_name": 'ɛ "1".png'}
UNTYPED_FILE = {"content": PICTURE, "file_name": "fox.png"}
FILE = {**UNTYPED_FILE, "content_type": "image/png"}


@frozen
class Operation:
    """One call of an official package, and ours for the same."""

    provider: str
    name: str
    """The official method, and after a colon what is special about the call."""
    official: Callable[[Any], Any]
    ours: Callable[[Any], Any]
    options: dict[str, Any] = field(factory=dict)
    """Settings of both clients."""

    @property
    def methods(self) -> list[str]:
        """The official methods that it calls."""
        return self.name.partition(":")[0].split(", ")

    def __str__(self) -> str:
        return f"{self.provider} {self.name}"


def _dispatch(client: Any) -> Any:
    client.queue({"model": "fox", "input": FOX, "webhook": HOOK})
    client.queue({"model": "fox", "input": WOLF, "stream": True})
    return client.dispatch()


async def _then(first: Awaitable[Any], second: Callable[[Any], Awaitable[Any]]) -> Any:
    return await second(await first)


def _get(path: str) -> Callable[[Any], Any]:
    """Return a request of the package's MCP server, which needs another package to run."""
    return lambda c: c.http_client.request("GET", f"{c.config.base_url}{path}")


def _versions(service: str, *versions: str) -> list[dict[str, str]]:
    return [{f"{service}_version": version} for version in versions]


def _request(**request: Any) -> dict[str, Any]:
    return {"request": request}


OPERATIONS = (
    *(
        Operation(
            "khaya", f"translate: {options['translation_version']}",
            lambda c: c.translate("Good morning", "en-tw"), lambda c: c.translate("Good morning", "en-tw"), options,
        )
        for options in _versions("translation", "v1", "v2")
    ),
    *(
        Operation(
            "khaya", f"transcribe: {options['asr_version']}",
            lambda c: c.transcribe(WAV, "eng"), lambda c: c.transcribe(WAV, "eng"), options,
        )
        for options in _versions("asr", "v1", "v2", "v3")
    ),
    *(
        Operation(
            "khaya", f"transcribe: {grain}s",
            lambda c, grain=grain: c.transcribe(WAV, "eng", timestamps=grain),
            lambda c, grain=grain: c.transcribe(WAV, "eng", timestamps=grain),
        )
        for grain in ("word", "segment")
    ),
    *(
        Operation(
            "khaya", f"synthesize: {options['tts_version']}",
            lambda c: c.synthesize("Maakye", "twi"), lambda c: c.synthesize("Maakye", "twi"), options,
        )
        for options in _versions("tts", "v1", "v2")
    ),
    Operation(
        "khaya", "synthesize: a voice",
        lambda c: c.synthesize("Maakye", "twi", speaker="female"),
        lambda c: c.synthesize("Maakye", "twi", voice="female"),
    ),
    Operation("khaya", "mcp: asr", _get("/asr/v3/languages"), lambda c: c.languages("transcription")),
    Operation(
        "khaya", "mcp: tts", _get("/tts/v2/languages"), lambda c: c.languages("synthesis"), {"tts_version": "v2"}
    ),
    #
    Operation(
        "skytells", "predict",
        lambda c: c.predict({"model": "fox", "input": FOX}), lambda c: c.predictions.create("fox", FOX),
    ),
    Operation(
        "skytells", "predict: await",
        lambda c: c.predict(OfficialRequest("fox", FOX, await_=True)),
        lambda c: c.predictions.create("fox", FOX, wait=True),
    ),
    Operation(
        "skytells", "predictions.create",
        lambda c: c.predictions.create({"model": "fox", "input": FOX}), lambda c: c.predictions.create("fox", FOX),
    ),
    Operation(
        "skytells", "predictions.create: everything",
        lambda c: c.predictions.create(OfficialRequest("fox", FOX, webhook=HOOK, stream=True)),
        lambda c: c.predictions.create("fox", FOX, webhook=Webhook(**HOOK), stream=True),
    ),
    Operation("skytells", "run", lambda c: c.run("fox", FOX), lambda c: c.run("fox", FOX)),
    Operation(
        "skytells", "run: on_progress", lambda c: c.run("fox", FOX, lambda state: None), lambda c: c.run("fox", FOX)
    ),
    Operation(
        "skytells", "run: everything",
        lambda c: c.run("fox", FOX, webhook=HOOK, stream=True),
        lambda c: c.run("fox", FOX, webhook=Webhook(**HOOK), stream=True),
    ),
    Operation(
        "skytells", "wait",
        lambda c: c.wait({"id": ID, "status": "pending"}, {"interval": 1}), lambda c: c.predictions.wait(ID),
    ),
    Operation(
        "skytells", "queue, dispatch",
        _dispatch,
        lambda c: c.predictions.create_many(
            [PredictionRequest("fox", FOX, webhook=Webhook(**HOOK)), PredictionRequest("fox", WOLF, stream=True)]
        ),
    ),
    Operation("skytells", "predictions.get", lambda c: c.predictions.get(ID), lambda c: c.predictions.get(ID)),
    Operation("skytells", "get_prediction", lambda c: c.get_prediction(ID), lambda c: c.predictions.get(ID)),
    Operation(
        "skytells", "predictions.get: an odd id",
        lambda c: c.predictions.get("a/b"), lambda c: c.predictions.get("a/b"),
    ),
    Operation("skytells", "predictions.list", lambda c: c.predictions.list(), lambda c: c.predictions.list()),
    Operation("skytells", "list_predictions", lambda c: c.list_predictions(2), lambda c: c.predictions.list(page=2)),
    Operation(
        "skytells", "predictions.list: everything",
        lambda c: c.predictions.list(page=2, since="2026-01-01", until="2026-02-01", model="fox"),
        lambda c: c.predictions.list(page=2, since="2026-01-01", until="2026-02-01", model="fox"),
    ),
    Operation(
        "skytells", "predictions.list: an odd model",
        lambda c: c.predictions.list(page=1, model="a&b"), lambda c: c.predictions.list(model="a&b"),
    ),
    Operation(
        "skytells", "stream_prediction",
        lambda c: c.stream_prediction(ID), lambda c: c.predictions.stream_info(ID),
    ),
    Operation("skytells", "cancel_prediction", lambda c: c.cancel_prediction(ID), lambda c: c.predictions.cancel(ID)),
    Operation("skytells", "delete_prediction", lambda c: c.delete_prediction(ID), lambda c: c.predictions.delete(ID)),
    Operation(
        "skytells", "prediction.cancel",
        lambda c: c.run("fox", FOX).cancel(), lambda c: _then(c.run("fox", FOX), c.predictions.cancel),
    ),
    Operation(
        "skytells", "prediction.delete",
        lambda c: c.run("fox", FOX).delete(), lambda c: _then(c.run("fox", FOX), c.predictions.delete),
    ),
    Operation("skytells", "models.list", lambda c: c.models.list(), lambda c: c.models.list()),
    Operation("skytells", "list_models", lambda c: c.list_models(), lambda c: c.models.list()),
    Operation(
        "skytells", "models.list: fields",
        lambda c: c.models.list(["input_schema", "output_schema"]),
        lambda c: c.models.list(fields=["input_schema", "output_schema"]),
    ),
    Operation("skytells", "models.get", lambda c: c.models.get("fox"), lambda c: c.models.get("fox")),
    Operation("skytells", "get_model", lambda c: c.get_model("fox"), lambda c: c.models.get("fox")),
    Operation(
        "skytells", "models.get: fields",
        lambda c: c.models.get("fox", ["input_schema"]), lambda c: c.models.get("fox", fields=["input_schema"]),
    ),
    #
    Operation(
        "aerostack", "ai.ai_chat",
        lambda c: c.ai.ai_chat(**_request(messages=[{"role": "user", "content": "hi"}])), lambda c: c.ai.chat("hi"),
    ),
    Operation(
        "aerostack", "ai.ai_chat: a model",
        lambda c: c.ai.ai_chat(**_request(messages=[{"role": "system", "content": "be brief"}], model="llama")),
        lambda c: c.ai.chat([{"role": "system", "content": "be brief"}], model="llama"),
    ),
    Operation(
        "aerostack", "authentication.auth_signup",
        lambda c: c.authentication.auth_signup(**_request(**USER)), lambda c: c.auth.sign_up(**USER),
    ),
    Operation(
        "aerostack", "authentication.auth_signup: everything",
        lambda c: c.authentication.auth_signup(**_request(**USER, name="Ama", metadata={"city": "Accra"})),
        lambda c: c.auth.sign_up(**USER, name="Ama", metadata={"city": "Accra"}),
    ),
    Operation(
        "aerostack", "authentication.auth_signin",
        lambda c: c.authentication.auth_signin(**_request(**USER)), lambda c: c.auth.sign_in(**USER),
    ),
    Operation(
        "aerostack", "cache.cache_get",
        lambda c: c.cache.cache_get(**_request(key="a b#")), lambda c: c.cache.get("a b#"),
    ),
    Operation(
        "aerostack", "cache.cache_set",
        lambda c: c.cache.cache_set(**_request(key="k", value={"n": [1, None]})),
        lambda c: c.cache.set("k", {"n": [1, None]}),
    ),
    Operation(
        "aerostack", "cache.cache_set: ttl",
        lambda c: c.cache.cache_set(**_request(key="k", value="v", ttl=60)), lambda c: c.cache.set("k", "v", ttl=60),
    ),
    Operation(
        "aerostack", "database.db_query",
        lambda c: c.database.db_query(**_request(sql="SELECT 1")), lambda c: c.db.query("SELECT 1"),
    ),
    Operation(
        "aerostack", "database.db_query: parameters",
        lambda c: c.database.db_query(**_request(sql="SELECT ?, ?", params=[1, "a"])),
        lambda c: c.db.query("SELECT ?, ?", (1, "a")),
    ),
    Operation(
        "aerostack", "queue.queue_enqueue",
        lambda c: c.queue.queue_enqueue(**_request(type="mail", data={"to": "ama"})),
        lambda c: c.queue.enqueue("mail", {"to": "ama"}),
    ),
    Operation(
        "aerostack", "queue.queue_enqueue: delay",
        lambda c: c.queue.queue_enqueue(**_request(type="mail", data={}, delay=5)),
        lambda c: c.queue.enqueue("mail", {}, delay=5),
    ),
    Operation(
        "aerostack", "services.services_invoke",
        lambda c: c.services.services_invoke(**_request(service_name="echo", data={"a": 1})),
        lambda c: c.services.invoke("echo", {"a": 1}),
    ),
    Operation(
        "aerostack", "storage.storage_upload",
        lambda c: c.storage.storage_upload(**_request(file=FILE, key="pictures/fox.png", content_type="image/png")),
        lambda c: c.storage.upload("pictures/fox.png", PICTURE, content_type="image/png"),
    ),
    Operation(
        "aerostack", "storage.storage_upload: untyped",
        lambda c: c.storage.storage_upload(**_request(file=UNTYPED_FILE, key="fox.png")),
        lambda c: c.storage.upload("fox.png", PICTURE),
    ),
    Operation(
        "aerostack", "storage.storage_upload: an odd name",
        lambda c: c.storage.storage_upload(**_request(file=FILE | ODD, key="ɛ", content_type="image/png")),
        lambda c: c.storage.upload("ɛ", PICTURE, content_type="image/png", filename=ODD["file_name"]),
    ),
    #
    Operation("kelly", "sd_models", lambda c: c.sd_models(), lambda c: c.models("sd")),
    Operation("kelly", "sdxl_models", lambda c: c.sdxl_models(), lambda c: c.models("sdxl")),
    Operation("kelly", "llm_models", lambda c: c.llm_models(), lambda c: c.models("chat")),
    Operation("kelly", "voice_models", lambda c: c.voice_models(), lambda c: c.models("voice")),
    Operation("kelly", "generate", lambda c: c.generate("a fox"), lambda c: c.generate_image("a fox")),
    Operation(
        "kelly", "generate: everything",
        lambda c: c.generate("a fox", "blurry", "Dream", 512, 256),
        lambda c: c.generate_image("a fox", negative_prompt="blurry", model="Dream", width=512, height=256),
    ),
    Operation(
        "kelly", "img2img", lambda c: c.img2img("a fox", PICTURE64), lambda c: c.edit_image(Base64(PICTURE64), "a fox")
    ),
    Operation(
        "kelly", "img2img: everything",
        lambda c: c.img2img("a fox", PICTURE64, "blurry", 512, 256),
        lambda c: c.edit_image(PICTURE, "a fox", negative_prompt="blurry", width=512, height=256),
    ),
    Operation(
        "kelly", "img2text",
        lambda c: c.img2text("what?", PICTURE64), lambda c: c.describe_image(PICTURE, "what?"),
    ),
    Operation("kelly", "upscale", lambda c: c.upscale(PICTURE64), lambda c: c.upscale_image(PICTURE)),
    Operation("kelly", "removebg", lambda c: c.removebg(PICTURE64), lambda c: c.remove_background(PICTURE)),
    Operation("kelly", "llm", lambda c: c.llm("hi"), lambda c: c.chat("hi")),
    Operation(
        "kelly", "llm: everything", lambda c: c.llm("hi", "gemini", "Fox"),
        lambda c: c.chat("hi", model="gemini", character="Fox"),
    ),
    Operation("kelly", "text2voice", lambda c: c.text2voice("hi"), lambda c: c.synthesize("hi")),
    Operation(
        "kelly", "text2voice: a voice", lambda c: c.text2voice("hi", "f"), lambda c: c.synthesize("hi", voice="f")
    ),
    Operation(
        "kelly", "voice2text", lambda c: c.voice2text(base64.b64encode(WAV_BYTES).decode()), lambda c: c.transcribe(WAV)
    ),
    Operation("kelly", "text2write", lambda c: c.text2write("hi"), lambda c: c.write_notes("hi")),
    Operation("kelly", "code2image", lambda c: c.code2image("x = 1"), lambda c: c.render_code("x = 1")),
)  # fmt: skip  # one row each: formatted, the table is three times as long


def of(provider: str) -> list[Operation]:
    """Return the operations of one provider."""
    return [operation for operation in OPERATIONS if operation.provider == provider]
