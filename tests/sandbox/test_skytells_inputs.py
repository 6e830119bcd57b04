"""Inputs of Skytells' models that the sandbox accepts, and what they change."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from http_client import Response, Send
from PIL import Image

from kellyapi import KellyAPI, PredictionFailedError

SMALL = {"prompt": "a fox", "width": 80, "height": 64}


SANDBOX = {"prediction_time": 0}


async def run(skytells: Send, input: dict[str, Any], model: str = "truefusion") -> dict[str, Any]:
    body = {"model": model, "input": {"prompt": "a fox", **input}, "await": True}
    response = await skytells("POST", "/v1/predict", json=body)
    assert (response.status, response.json["status"]) == (200, "succeeded"), response.json
    return response.json


async def outputs(skytells: Send, input: dict[str, Any]) -> list[Response]:
    return [await skytells("GET", "", url=url) for url in (await run(skytells, input))["output"]]


@pytest.mark.parametrize(
    ("input", "size"),
    [
        ({"aspect_ratio": "16:9"}, (1280, 720)),
        ({"aspect_ratio": "2:3"}, (832, 1248)),
        ({"aspect_ratio": "21:9"}, (1512, 648)),
        ({"aspect_ratio": "9:16", "width": 64}, (64, 1280)),
        ({"aspect_ratio": "9:16", "width": 64, "height": 96}, (64, 96)),
        ({"aspect_ratio": None, "width": 64, "height": None}, (64, 1024)),
    ],
)
async def test_an_aspect_ratio_sets_the_size(skytells: Send, input: dict[str, Any], size: tuple[int, int]) -> None:
    (output,) = await outputs(skytells, input)
    assert Image.open(io.BytesIO(output.body)).size == size


@pytest.mark.parametrize("count", ["num_outputs", "number_of_images"])
async def test_several_pictures_are_different_files_and_each_is_paid_for(
    skytells: Send, send: Send, count: str
) -> None:
    prediction = await run(skytells, {**SMALL, count: 3})
    names = [url.rpartition("/")[2] for url in prediction["output"]]
    assert names == [f"{prediction['id']}-output{place}.png" for place in ("", "-1", "-2")]
    files = prediction["metadata"]["storage"]["files"]
    assert [file["url"] for file in files] == prediction["output"]
    downloads = [await send("GET", "", url=url) for url in prediction["output"]]
    assert [len(each.body) for each in downloads] == [file["size"] for file in files]
    assert len({each.body for each in downloads}) == 3
    assert prediction["metrics"]["image_count"] == 3
    assert prediction["metadata"]["billing"] == {"credits_used": 0.09}
    await skytells("DELETE", f"/v1/predictions/{prediction['id']}")
    assert {(await send("GET", "", url=url)).status for url in prediction["output"]} == {404}


async def test_what_is_paid_is_what_the_client_has_estimated(api: KellyAPI) -> None:
    model = await api.skytells.models.get("truefusion-pro", fields="input_schema")
    input = {**SMALL, "num_outputs": 2}
    done = await api.skytells.run("truefusion-pro", input, interval=0.01)
    estimate = api.skytells.models.estimate(model, input)
    assert estimate
    assert estimate.amount == done.credits_used == 0.1


@pytest.mark.parametrize(
    ("format", "ending", "mime", "pillow"),
    [("png", "png", "image/png", "PNG"), ("jpg", "jpg", "image/jpeg", "JPEG"), ("jpeg", "jpg", "image/jpeg", "JPEG"),
     ("webp", "webp", "image/webp", "WEBP")],
)  # fmt: skip
async def test_an_output_has_the_format_that_was_asked_for(
    skytells: Send, format: str, ending: str, mime: str, pillow: str
) -> None:
    prediction = await run(skytells, {**SMALL, "output_format": format})
    (file,) = prediction["metadata"]["storage"]["files"]
    assert file["name"] == f"{prediction['id']}-output.{ending}"
    output = await skytells("GET", "", url=file["url"])
    assert output.headers["Content-Type"] == file["type"] == mime
    assert Image.open(io.BytesIO(output.body)).format == pillow


async def test_a_seed_gives_another_picture_and_always_the_same(skytells: Send) -> None:
    def bodies(responses: list[Response]) -> list[bytes]:
        return [each.body for each in responses]

    plain, seeded = await outputs(skytells, SMALL), await outputs(skytells, {**SMALL, "seed": 0})
    assert bodies(plain) != bodies(seeded) == bodies(await outputs(skytells, {**SMALL, "seed": 0}))
    both = bodies(await outputs(skytells, {**SMALL, "seed": 0, "num_outputs": 2}))
    assert both[0] == seeded[0].body != both[1]


async def test_a_prediction_starts_from_a_picture(skytells: Send, picture: bytes) -> None:
    first = await run(skytells, SMALL)
    encoded = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    bodies = [(await outputs(skytells, {**SMALL, "image": each}))[0].body for each in (encoded, first["output"][0])]
    assert len({*bodies, (await outputs(skytells, SMALL))[0].body}) == 3
    assert {Image.open(io.BytesIO(body)).size for body in bodies} == {(80, 64)}


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("https://example.org/fox.png", "fetches no images"),
        ("http://127.0.0.1/delivery/../../etc/passwd", "fetches no images"),
        ("http://127.0.0.1/delivery/12345678-1234-1234-1234-123456789012-output.png", "fetches no images"),
        ("data:image/png;base64,?", "cannot be read"),
        ("data:,a text", "not a PNG, JPEG"),
        (f"data:{';a=b' * 300},x", "use base64"),
        (f"data:image/png,{'%41' * 100_001}", "use base64"),
    ],
)
async def test_a_picture_that_cannot_be_used_fails_the_prediction(api: KellyAPI, image: str, reason: str) -> None:
    with pytest.raises(PredictionFailedError, match=reason):
        await api.skytells.run("truefusion", {**SMALL, "image": image}, interval=0.01)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("aspect_ratio", "16:10", "be one of 1:1, 16:9, 4:3, 3:2, 2:3, 3:4, 9:16, 21:9."),
        ("aspect_ratio", 1.5, "be a string."),
        ("num_outputs", 0, "be between 1 and 4."),
        ("num_outputs", 5, "be between 1 and 4."),
        ("num_outputs", 2.5, "be an integer."),
        ("number_of_images", True, "be an integer."),
        ("output_format", "gif", "be one of png, jpg, jpeg, webp."),
        ("seed", "5", "be an integer."),
        ("guidance", "3", "be a number."),
        ("guidance", False, "be a number."),
        ("prompt_optimizer", 1, "be a boolean."),
        ("image", "fox.png", "be a link or a data: URL."),
    ],
)
async def test_a_wrong_value_of_an_input_is_refused(skytells: Send, field: str, value: Any, problem: str) -> None:
    refused = await skytells("POST", "/v1/predict", json={"model": "flux-pro", "input": {**SMALL, field: value}})
    assert (refused.status, refused.json["error"]["error_id"]) == (422, "VALIDATION_ERROR")
    assert refused.json["response"] == f"The {field} field must {problem}"


async def test_inputs_without_an_effect_are_accepted(skytells: Send) -> None:
    input = {**SMALL, "guidance": 3, "prompt_optimizer": True, "negative_prompt": "snow"}
    assert len((await run(skytells, input, "truefusion-pro"))["output"]) == 1


async def test_the_picture_that_a_prediction_starts_from_shows_in_its_outcome(api: KellyAPI, tmp_path: Path) -> None:
    path = tmp_path / "dark.png"
    Image.new("RGB", (80, 64), "black").save(path)
    light = np.full((64, 80, 3), 255, np.uint8)
    shades = []
    for picture in (path, light):
        done = await api.skytells.run("truefusion", {**SMALL, "image": picture}, interval=0.01)
        made = Image.open(io.BytesIO(await api.skytells.predictions.read_output(done)))
        shades.append(np.asarray(made.convert("L")).mean())
    assert shades[0] + 30 < shades[1]
