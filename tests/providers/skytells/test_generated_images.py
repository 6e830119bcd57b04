"""Images through Skytells: sizes, several at once, prices, and what is left when some fail."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from servers import Exchange, hang, make_response

from kellyapi import (
    DecodingError,
    Image,
    KellyAPIError,
    NotFoundError,
    Prediction,
    PredictionFailedError,
    RequestTimeoutError,
    ServerError,
)

from .studio import NUMBER, PNG, Studio, opened, state

SIZES = {"width": NUMBER, "height": NUMBER, "negative_prompt": {"type": "string"}}
COUNT = {"num_outputs": {"type": "integer", "maximum": 4}}


async def test_sizes_and_the_negative_prompt_are_inputs_of_the_model() -> None:
    studio = Studio(SIZES)
    async with opened(studio) as skytells:
        image = await skytells.generate_image(
            "a fox", width=768, height=512, negative_prompt="snow", model="m", input={"seed": 7}
        )
    assert image == Image(data=PNG, mime="image/png", prediction_id="p1", credits=0.06, provider="skytells")
    wanted = {"prompt": "a fox", "width": 768, "height": 512, "negative_prompt": "snow", "seed": 7}
    assert [each["input"] for each in studio.created] == [wanted]
    assert studio.targets[0] == "/model/m?fields=input_schema"


async def test_an_image_in_a_data_url_needs_no_download() -> None:
    link = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    studio = Studio(SIZES, instead={"/predict": state("p1", "succeeded", output={"image": link})})
    async with opened(studio) as skytells:
        image = await skytells.generate_image("a fox")
    assert (image.data, image.mime, image.prediction_id) == (PNG, "image/png", "p1")


async def test_inputs_by_their_own_names_replace_the_others() -> None:
    studio = Studio(SIZES)
    async with opened(studio) as skytells:
        await skytells.generate_image("a fox", width=768, input={"width": 512, "prompt": "a wolf"})
    assert studio.created[0]["input"] == {"prompt": "a wolf", "width": 512}


async def test_the_schema_is_requested_only_for_arguments_that_need_it_and_once_for_a_client_and_its_siblings() -> None:
    studio = Studio(SIZES)
    async with opened(studio) as skytells:
        await skytells.generate_image("a fox", input={"width": 64})
        assert studio.targets[0] == "/predict"
        await asyncio.gather(*(skytells.generate_image("a fox", width=64, height=64) for _ in range(3)))
        await skytells.with_options(timeout=5).generate_image("a fox", negative_prompt="snow")
        assert studio.count("/model/truefusion-pro?fields=input_schema") == 1
        await skytells.generate_image("a fox", width=64, model="m")
        assert studio.count("/model/m?fields=input_schema") == 1


async def test_a_caller_that_is_cancelled_leaves_the_request_for_the_schema_to_the_others() -> None:
    go_on = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await go_on.wait()
        del studio.instead[path]  # type: ignore[attr-defined]  # it is a dict
        await studio(exchange)

    path = "/model/m?fields=input_schema"
    studio = Studio(SIZES, instead={path: slow})
    async with opened(studio) as skytells:
        first, second = (asyncio.create_task(skytells.generate_image("a fox", width=64, model="m")) for _ in "12")
        await studio.server.until(lambda: bool(studio.targets))
        first.cancel()
        await asyncio.wait([first])
        go_on.set()
        assert (await second).data == PNG
        assert studio.count(path) == 1


async def test_a_request_for_the_schema_that_all_callers_have_left_is_cancelled() -> None:
    studio = Studio(SIZES, instead={"/model/m?fields=input_schema": hang})
    async with opened(studio) as skytells:
        tasks = [asyncio.create_task(skytells.generate_image("a fox", width=64, model="m")) for _ in range(3)]
        await studio.server.until(lambda: bool(studio.targets))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await studio.server.until(lambda: studio.server.open == 0)


@pytest.mark.parametrize(
    ("inputs", "arguments", "problem"),
    [
        ({}, {"width": 512, "height": 512}, "m has no input for width and height; its inputs are seed"),
        (SIZES, {"width": 4096}, "width of m must be at most 2,048, not 4096"),
        ({}, {"negative_prompt": "snow"}, "m has no input for negative_prompt"),
        (None, {"width": 512}, "the catalogue does not say whether m has an input for width"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_before_a_prediction_is_created(
    inputs: Any, arguments: Any, problem: str
) -> None:
    studio = Studio(None if inputs is None else {"seed": NUMBER, **inputs})
    async with opened(studio) as skytells:
        with pytest.raises(ValueError, match=problem):
            await skytells.generate_image("a fox", model="m", **arguments)
    assert studio.created == []


@pytest.mark.parametrize(
    ("response", "error"), [(make_response(404), NotFoundError), (make_response(500), ServerError)]
)
async def test_a_schema_that_does_not_come_is_an_error_and_is_requested_again(
    response: bytes, error: type[KellyAPIError]
) -> None:
    paths = ("/model/m?fields=input_schema", "/models/m?fields=input_schema")
    studio = Studio(SIZES, instead=dict.fromkeys(paths, response))
    async with opened(studio) as skytells:
        with pytest.raises(error) as caught:
            await skytells.generate_image("a fox", width=64, model="m")
        assert not caught.value.outcome_unknown
        studio.instead = {}
        await skytells.generate_image("a fox", width=64, model="m")


async def test_the_time_of_the_call_includes_the_request_for_the_schema() -> None:
    studio = Studio(SIZES, instead={"/model/m?fields=input_schema": hang})
    async with opened(studio) as skytells:
        with pytest.raises(RequestTimeoutError, match="the input schema of m did not arrive in time") as caught:
            await skytells.generate_image("a fox", width=64, model="m", timeout=0.05)
        assert not caught.value.outcome_unknown


# Several images


async def test_several_images_are_one_prediction_and_share_its_price() -> None:
    studio = Studio(COUNT, outputs=[3])
    async with opened(studio) as skytells:
        images = await skytells.generate_images("a fox", 3, model="m")
    assert [each["input"] for each in studio.created] == [{"prompt": "a fox", "num_outputs": 3}]
    assert [(each.prediction_id, each.credits) for each in images] == [("p1", 0.02)] * 3
    assert sorted(studio.targets[-3:]) == ["/files/p1-1", "/files/p1-2", "/files/p1-3"]


async def test_more_images_than_a_prediction_can_have_are_several_predictions() -> None:
    studio = Studio(COUNT, outputs=[4, 4, 2])
    async with opened(studio) as skytells:
        images = await skytells.generate_images("a fox", 10, model="m")
    assert sorted(each["input"]["num_outputs"] for each in studio.created) == [2, 4, 4]
    assert len(images) == 10


async def test_a_model_that_makes_one_image_gets_one_prediction_for_each() -> None:
    studio = Studio({})
    async with opened(studio) as skytells:
        images = await skytells.generate_images("a fox", 3, model="m")
    assert [each["input"] for each in studio.created] == [{"prompt": "a fox"}] * 3
    assert sorted(str(each.prediction_id) for each in images) == ["p1", "p2", "p3"]


async def test_one_image_of_several_needs_no_schema() -> None:
    studio = Studio(outputs=[2])
    async with opened(studio) as skytells:
        assert len(await skytells.generate_images("a fox", 1)) == 2  # all that are paid for
        image = await skytells.generate_image("a fox")
    assert (image.prediction_id, image.credits) == ("p2", 0.03)
    assert studio.targets[-1] == "/files/p2-1"
    assert not [target for target in studio.targets if "model" in target]


async def test_the_images_that_came_are_in_the_error_of_those_that_failed() -> None:
    failed = state("p2", "failed", error="no GPU")
    studio = Studio({}, instead={"/predictions/p2": failed})
    async with opened(studio) as skytells:
        with pytest.raises(PredictionFailedError, match="no GPU") as caught:
            await skytells.generate_images("a fox", 3, model="m")
    assert [image.data for image in caught.value.partial] == [PNG, PNG]
    assert caught.value.prediction.id == "p2"


async def test_an_image_of_a_prediction_that_cannot_be_downloaded_leaves_the_others() -> None:
    studio = Studio(COUNT, outputs=[3], instead={"/files/p1-2": make_response(404)})
    async with opened(studio) as skytells:
        with pytest.raises(NotFoundError) as caught:
            await skytells.generate_images("a fox", 3, model="m")
    assert [image.data for image in caught.value.partial] == [PNG, PNG]
    assert caught.value.prediction.id == "p1"
    assert "predictions.download(error.prediction, folder)" in str(caught.value)


async def test_a_prediction_with_fewer_images_than_requested_is_an_error_that_has_them() -> None:
    studio = Studio(COUNT, outputs=[2])
    async with opened(studio) as skytells:
        with pytest.raises(DecodingError, match="prediction p1 has 2 outputs instead of 3") as caught:
            await skytells.generate_images("a fox", 3, model="m")
    assert len(caught.value.partial) == 2


async def test_no_prediction_is_lost_that_failed_after_another() -> None:
    """The error is that of the first, and its notes name the others, which are paid for."""
    gone = make_response(404)
    studio = Studio({}, instead={"/files/p1-1": gone, "/files/p2-1": gone})
    async with opened(studio) as skytells:
        with pytest.raises(NotFoundError) as caught:
            await skytells.generate_images("a fox", 3, model="m")
    assert len(caught.value.partial) == 1
    ids = {caught.value.prediction.id, *(note.split()[1] for note in caught.value.__notes__)}
    assert ids == {"p1", "p2"}


async def test_images_that_came_are_in_an_error_of_the_users_function() -> None:
    def refuse(prediction: Prediction) -> None:
        if prediction.id == "p2":
            raise KeyError("p2")

    async with opened(Studio({})) as skytells:
        with pytest.raises(KeyError) as caught:
            await skytells.generate_images("a fox", 3, model="m", on_progress=refuse)
    error: Any = caught.value
    assert [image.data for image in error.partial] == [PNG, PNG]
    assert error.__notes__ == ["the prediction is p2", "results of other calls in its .partial: 2"]


async def test_a_task_that_is_cancelled_during_the_download_names_the_prediction() -> None:
    studio = Studio(instead={"/files/p1-1": hang})
    async with opened(studio) as skytells:
        task = asyncio.ensure_future(skytells.generate_image("a fox"))
        await studio.server.until(lambda: "/files/p1-1" in studio.targets)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert caught.value.__notes__ == ["the prediction is p1"]


# Progress and time


async def test_progress_is_shown_for_each_prediction() -> None:
    seen: list[Prediction] = []
    async with opened(Studio({})) as skytells:
        await skytells.generate_images("a fox", 2, on_progress=seen.append)
    shown = sorted((each.id, str(each.status)) for each in seen)
    assert shown == [("p1", "pending"), ("p1", "succeeded"), ("p2", "pending"), ("p2", "succeeded")]


async def test_a_download_has_time_although_the_prediction_has_used_it_up() -> None:
    async def use_up(prediction: Prediction) -> None:
        if prediction.ended:
            await asyncio.sleep(0.1)

    async with opened(Studio()) as skytells:
        image = await skytells.generate_image("a fox", timeout=0.1, on_progress=use_up)
    assert image.data == PNG


async def test_a_download_that_does_not_end_is_given_up_with_the_prediction() -> None:
    studio = Studio(instead={"/files/p1-1": hang})
    async with opened(studio, timeout=0.1) as skytells:
        with pytest.raises(RequestTimeoutError) as caught:
            await skytells.generate_image("a fox")
    assert caught.value.prediction.id == "p1"
    assert studio.count("/predictions/p1/cancel") == 0
