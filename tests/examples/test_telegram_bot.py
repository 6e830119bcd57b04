"""The Telegram bot example, with a fake Bot API and the sandbox; the engines of speech are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from quick_aiogram import import_aiogram
from servers import Exchange, Script, Server, hang, make_response

from kellyapi import Sandbox

from .conftest import FAILURES, settle, until
from .telegram_fake import TelegramFake

ENGINES = "fake_engines"


@pytest.fixture(scope="module", autouse=True)
def _aiogram() -> None:
    import_aiogram()


@asynccontextmanager
async def running(bot: ModuleType, telegram: TelegramFake) -> AsyncIterator[None]:
    """Run the bot's `main` and stop it. It must leave no task and no connection to Telegram."""
    before = asyncio.all_tasks()
    main = asyncio.create_task(bot.main())
    try:
        yield
    finally:
        await bot.dispatcher.stop_polling()
        await main
    await until(lambda: not telegram.connections)
    await settle(before)


@pytest.fixture
async def bot(sandbox: Sandbox, telegram: TelegramFake, load: Callable[[str], ModuleType]) -> AsyncIterator[ModuleType]:
    bot = load("telegram_bot")
    async with running(bot, telegram):
        yield bot


@pytest.mark.usefixtures("bot")
async def test_a_text_gets_its_translation_as_text_and_speech(telegram: TelegramFake) -> None:
    message_id = telegram.write("Good morning")
    text = await telegram.hear()
    assert text.text == "Twi: Maakye"
    assert f'"message_id":{message_id}' in text.fields["reply_parameters"].replace(" ", "")
    voice = await telegram.hear()
    assert (voice.method, voice.file_name, voice.file) == ("sendVoice", "speech.mp3", b"ID3 twi None Maakye")
    assert telegram.actions[0] == (1, "record_voice")


@pytest.mark.usefixtures("bot")
async def test_each_user_has_a_language(telegram: TelegramFake) -> None:
    telegram.write("/language EWE", user=1)
    assert (await telegram.hear()).text == "From now on you get Ewe."
    for user, start in {1: b"ID3 ewe ", 2: b"ID3 twi "}.items():
        telegram.write("Good morning", user)
        assert (await telegram.hear()).fields["chat_id"] == str(user)
        assert ((await telegram.hear()).file or b"").startswith(start)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("command", ["/language", "/language eng", "/language klingon"])
async def test_an_unknown_language_gets_the_list_of_languages(telegram: TelegramFake, command: str) -> None:
    telegram.write(command)
    assert "twi, ewe, gaa" in (await telegram.hear()).text


async def test_the_greeting_names_every_language(telegram: TelegramFake, bot: ModuleType) -> None:
    telegram.write("/start")
    greeting = (await telegram.hear()).text
    assert all(f"{code} ({name})" in greeting for code, name in bot.LANGUAGES.items())


@pytest.mark.usefixtures("sandbox")
async def test_long_messages_are_refused_before_any_request(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = load("telegram_bot")
    async with Server(make_response()) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(bot, telegram):
            telegram.write("a" * (bot.MAX_TEXT + 1))
            assert "too long" in (await telegram.hear()).text
            telegram.speak(b"RIFF", seconds=bot.MAX_VOICE + 1)
            assert "too long" in (await telegram.hear()).text
    assert not khaya.requests


@pytest.mark.usefixtures("bot")
async def test_a_voice_message_is_transcribed_translated_and_spoken(telegram: TelegramFake) -> None:
    telegram.speak(b"RIFF")
    assert (await telegram.hear()).text == "I heard: a quick fox"
    assert (await telegram.hear()).text == "Twi: ⟦twi⟧ a quick fox"
    assert (await telegram.hear()).file == "ID3 twi None ⟦twi⟧ a quick fox".encode()


async def test_unusable_audio_gets_an_explanation_and_the_next_message_works(
    telegram: TelegramFake, bot: ModuleType
) -> None:
    telegram.speak(b"no audio")
    expected = (await telegram.hear()).text
    assert expected.startswith("The service cannot use this: ")
    assert expected.endswith("not audio")
    await until(lambda: not bot.in_progress)
    telegram.write("Thank you")
    assert (await telegram.hear()).text == "Twi: Medaase"


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("failure", "expected"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_explained_to_the_user(
    telegram: TelegramFake,
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    failure: Script,
    expected: str,
) -> None:
    async with Server(failure) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(load("telegram_bot"), telegram):
            telegram.write("Good morning")
            assert (await telegram.hear()).text == expected
    assert len(khaya.requests) == 1


@asynccontextmanager
async def slow_khaya(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """A Khaya whose translations wait for the event."""
    release = asyncio.Event()

    async def translate(exchange: Exchange) -> None:
        await exchange.read()
        await release.wait()
        await exchange.write(make_response(body=b'"Maakye"'))

    async with Server(translate, make_response(body=b"ID3 Maakye", kind="audio/mpeg")) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        yield khaya, release


@pytest.mark.usefixtures("sandbox")
async def test_each_user_has_one_reply_at_a_time(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, release), running(load("telegram_bot"), telegram):
        telegram.write("Good morning", user=1)
        await khaya.until(lambda: len(khaya.requests) == 1)
        telegram.write("Good evening", user=1)
        busy = await telegram.hear()
        assert "still busy" in busy.text
        telegram.write("/help", user=1)
        assert "/language" in (await telegram.hear()).text
        release.set()
        assert (await telegram.hear()).text == "Twi: Maakye"
        assert (await telegram.hear()).file == b"ID3 Maakye"


@pytest.mark.usefixtures("sandbox")
async def test_work_in_progress_is_delivered_before_the_bot_stops(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, release):
        async with running(load("telegram_bot"), telegram):
            telegram.write("Good morning")
            await khaya.until(lambda: len(khaya.requests) == 1)
            asyncio.get_running_loop().call_soon(release.set)
        assert [(await telegram.hear()).method for _ in range(2)] == ["sendMessage", "sendVoice"]


@pytest.mark.usefixtures("sandbox")
async def test_work_that_takes_too_long_is_cancelled_when_the_bot_stops(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = load("telegram_bot")
    monkeypatch.setattr(bot, "SHUTDOWN_SECONDS", 0)
    async with Server(hang) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(bot, telegram):
            telegram.write("Good morning")
            await khaya.until(lambda: len(khaya.requests) == 1)
        assert not bot.in_progress
