"""The Telegram bot between a Bot API on loopback and the sandbox; its engines of speech are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from servers import Exchange, Script, Server, answer, hang

from kellyapi import Sandbox

from .conftest import FAILURES, settle, until
from .telegram_fake import TelegramFake

ENGINES = "fake_engines"


@asynccontextmanager
async def running(bot: ModuleType, telegram: TelegramFake) -> AsyncIterator[None]:
    """Run the bot's `main` and stop it; it must leave no task and no connection to Telegram."""
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
async def test_a_text_is_answered_with_its_translation_and_its_sound(telegram: TelegramFake) -> None:
    asked = telegram.write("Good morning")
    text = await telegram.hear()
    assert text.text == "Twi: Maakye"
    assert f'"message_id":{asked}' in text.fields["reply_parameters"].replace(" ", "")
    voice = await telegram.hear()
    assert (voice.method, voice.file_name, voice.file) == ("sendVoice", "speech.mp3", b"ID3 twi None Maakye")
    assert telegram.actions[0] == (1, "record_voice")


@pytest.mark.usefixtures("bot")
async def test_each_user_has_a_language(telegram: TelegramFake) -> None:
    telegram.write("/language EWE", user=1)
    assert (await telegram.hear()).text == "From now on you get Ewe."
    for user, said in {1: b"ID3 ewe ", 2: b"ID3 twi "}.items():
        telegram.write("Good morning", user)
        assert (await telegram.hear()).fields["chat_id"] == str(user)
        assert ((await telegram.hear()).file or b"").startswith(said)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("command", ["/language", "/language eng", "/language klingon"])
async def test_a_language_that_is_not_translated_is_answered_with_those_that_are(
    telegram: TelegramFake, command: str
) -> None:
    telegram.write(command)
    assert "twi, ewe, gaa" in (await telegram.hear()).text


async def test_the_greeting_names_every_language(telegram: TelegramFake, bot: ModuleType) -> None:
    telegram.write("/start")
    greeting = (await telegram.hear()).text
    assert all(f"{code} ({name})" in greeting for code, name in bot.LANGUAGES.items())


@pytest.mark.usefixtures("sandbox")
async def test_what_is_too_long_is_refused_before_it_costs_anything(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = load("telegram_bot")
    async with Server(answer()) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(bot, telegram):
            telegram.write("a" * (bot.LONGEST_TEXT + 1))
            assert "too long" in (await telegram.hear()).text
            telegram.speak(b"RIFF", seconds=bot.LONGEST_VOICE + 1)
            assert "too long" in (await telegram.hear()).text
    assert not khaya.requests


@pytest.mark.usefixtures("bot")
async def test_a_voice_message_is_written_down_translated_and_spoken(telegram: TelegramFake) -> None:
    telegram.speak(b"RIFF")
    assert (await telegram.hear()).text == "I heard: a quick fox"
    assert (await telegram.hear()).text == "Twi: ⟦twi⟧ a quick fox"
    assert (await telegram.hear()).file == "ID3 twi None ⟦twi⟧ a quick fox".encode()


async def test_what_is_no_audio_is_answered_and_the_next_message_is_served(
    telegram: TelegramFake, bot: ModuleType
) -> None:
    telegram.speak(b"no audio")
    told = (await telegram.hear()).text
    assert told.startswith("The service cannot use this: ")
    assert told.endswith("not audio")
    await until(lambda: not bot.under_way)
    telegram.write("Thank you")
    assert (await telegram.hear()).text == "Twi: Medaase"


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("failure", "told"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_told_in_words_for_users(
    telegram: TelegramFake,
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    failure: Script,
    told: str,
) -> None:
    async with Server(failure) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(load("telegram_bot"), telegram):
            telegram.write("Good morning")
            assert (await telegram.hear()).text == told
    assert len(khaya.requests) == 1


@asynccontextmanager
async def slow_khaya(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """A Khaya whose translations wait for the event."""
    go_on = asyncio.Event()

    async def translate(exchange: Exchange) -> None:
        await exchange.read()
        await go_on.wait()
        await exchange.write(answer(body=b'"Maakye"'))

    async with Server(translate, answer(body=b"ID3 Maakye", kind="audio/mpeg")) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        yield khaya, go_on


@pytest.mark.usefixtures("sandbox")
async def test_a_user_has_one_answer_at_a_time_and_another_user_one_too(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, go_on), running(load("telegram_bot"), telegram):
        telegram.write("Good morning", user=1)
        await khaya.until(lambda: len(khaya.requests) == 1)
        telegram.write("Good evening", user=1)
        busy = await telegram.hear()
        assert "still busy" in busy.text
        telegram.write("/help", user=1)
        assert "/language" in (await telegram.hear()).text
        go_on.set()
        assert (await telegram.hear()).text == "Twi: Maakye"
        assert (await telegram.hear()).file == b"ID3 Maakye"


@pytest.mark.usefixtures("sandbox")
async def test_work_that_is_under_way_is_delivered_before_the_bot_stops(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, go_on):
        async with running(load("telegram_bot"), telegram):
            telegram.write("Good morning")
            await khaya.until(lambda: len(khaya.requests) == 1)
            asyncio.get_running_loop().call_soon(go_on.set)
        assert [(await telegram.hear()).method for _ in range(2)] == ["sendMessage", "sendVoice"]


@pytest.mark.usefixtures("sandbox")
async def test_work_that_takes_too_long_is_given_up_when_the_bot_stops(
    telegram: TelegramFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = load("telegram_bot")
    monkeypatch.setattr(bot, "LAST_SECONDS", 0)
    async with Server(hang) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(bot, telegram):
            telegram.write("Good morning")
            await khaya.until(lambda: len(khaya.requests) == 1)
        assert not bot.under_way
