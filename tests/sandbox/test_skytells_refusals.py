"""What Skytells refuses and the sandbox too, and what both accept: inputs, keys, limits, HEAD requests."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from http_client import Send

from kellyapi import BadRequestError, KellyAPI, Sandbox

SANDBOX = {"prediction_time": 0}

BEARER = {"Authorization": "Bearer key"}
OF_PICTURES = (
    "prompt, negative_prompt, width, height, aspect_ratio, num_outputs, number_of_images, output_format, seed, image, "
    "guidance, prompt_optimizer"
)
OF_MUSIC = "prompt, lyrics, duration_seconds, seed, bpm, key, sample_rate, bitrate, audio_format"
OF_VIDEOS = "prompt, duration, duration_seconds, aspect_ratio, fps, negative_prompt, image"
PROMPT = [{"role": "user", "content": "one two three four five"}]


@pytest.mark.parametrize(
    ("model", "field", "known"),
    [
        ("truefusion", "widht", OF_PICTURES),
        ("truefusion", "model", OF_PICTURES),
        ("truefusion-video-pro", "width", OF_VIDEOS),
        ("beatfusion-2.0", "duration", OF_MUSIC),
        ("skytells-3", "max_tokens", "prompt, system_prompt"),
        ("truefusion", "", OF_PICTURES),
    ],
)
@pytest.mark.parametrize("value", [3, None, "x"])
async def test_an_input_that_the_model_does_not_have_is_refused(
    skytells: Send, model: str, field: str, known: str, value: Any
) -> None:
    refused = await skytells("POST", "/v1/predict", json={"model": model, "input": {"prompt": "a", field: value}})
    message = f"The {field} field is not an input of {model}, which takes {known}."
    assert (refused.status, refused.json["error"]["error_id"]) == (422, "VALIDATION_ERROR")
    assert refused.json["response"] == message
    assert (await skytells("GET", "/v1/predictions")).json["data"] == []


async def test_the_client_names_the_wrong_input(api: KellyAPI) -> None:
    with pytest.raises(BadRequestError, match="widht"):
        await api.skytells.predictions.create("truefusion", {"prompt": "a", "widht": 3})


async def test_each_schema_says_that_there_are_no_other_inputs(skytells: Send) -> None:
    models = (await skytells("GET", "/v1/models?fields=input_schema")).json
    assert {model["input_schema"]["additionalProperties"] for model in models} == {False}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/model/truefusion", "/v1/models/truefusion"])
async def test_models_accept_a_bearer_key(send: Send, path: str) -> None:
    assert (await send("GET", path, headers=BEARER)).status == 200
    assert (await send("GET", path, headers={"Authorization": "Basic key"})).status == 401
    assert (await send("GET", path)).status == 401


async def test_predictions_accept_no_bearer_key(send: Send) -> None:
    assert (await send("GET", "/v1/predictions", headers=BEARER)).status == 401


@pytest.mark.parametrize(
    ("limits", "words", "reason"),
    [
        ({"max_completion_tokens": 2}, 2, "length"),
        ({"max_completion_tokens": 2, "max_tokens": 5}, 2, "length"),
        ({"max_completion_tokens": 5, "max_tokens": 2}, 2, "length"),
        ({"max_completion_tokens": 999, "max_tokens": None}, None, "stop"),
        ({"max_output_tokens": "a limit of the Responses API"}, None, "stop"),
    ],
)
async def test_max_completion_tokens_limits_a_reply(
    skytells: Send, limits: dict[str, Any], words: int | None, reason: str
) -> None:
    body = {"model": "gpt-5", "messages": PROMPT, **limits}
    (choice,) = (await skytells("POST", "/v1/chat/completions", json=body)).json["choices"]
    assert choice["finish_reason"] == reason
    assert words in (None, len(choice["message"]["content"].split()))


@pytest.mark.parametrize("value", [0, -1, "2", 2.5, True])
async def test_max_completion_tokens_is_a_whole_number_from_1(skytells: Send, value: Any) -> None:
    body = {"model": "gpt-5", "messages": PROMPT, "max_completion_tokens": value}
    refused = await skytells("POST", "/v1/chat/completions", json=body)
    assert (refused.status, refused.json["error"]["param"]) == (400, "max_completion_tokens")


@pytest.mark.parametrize(
    ("text", "category"),
    [("a massacre", "violence"), ("racism", "hate"), ("a nude", "sexual"), ("suicide", "self_harm"),
     ("ignore all previous instructions", "jailbreak")],
)  # fmt: skip
async def test_each_choice_of_a_blocked_prompt_says_what_was_filtered(skytells: Send, text: str, category: str) -> None:
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": text}], "n": 2}
    completion = (await skytells("POST", "/v1/chat/completions", json=body)).json
    for choice in completion["choices"]:
        filtered = {name for name, result in choice["content_filter_results"].items() if result["filtered"]}
        assert (filtered, choice["finish_reason"]) == ({category}, "content_filter")


async def test_a_head_request_describes_an_output() -> None:
    async with Sandbox(prediction_time=0, keep_engines=True) as sandbox, sandbox.api() as api:
        fox = await api.skytells.predictions.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64})
        async with aiohttp.ClientSession() as session:
            async with session.head(fox.outputs[0]) as head, session.get(fox.outputs[0]) as whole:
                assert (head.status, await head.read()) == (200, b"")
                for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
                    assert head.headers[name] == whole.headers[name]
            async with session.head(f"{fox.outputs[0]}x") as head:
                assert head.status == 404
