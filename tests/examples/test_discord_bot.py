"""The Discord bot example, with a fake of Discord's API and the sandbox."""

from __future__ import annotations

import asyncio
import importlib
import io
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import ModuleType

import pytest
from PIL import Image
from processes import script
from servers import Exchange, Script, Server, hang, make_response

from kellyapi import ChatReply, KellyAPI, Message, Sandbox
from kellyapi.languages import TRANSLATION

from .conftest import FAILURES, command, complaints, settle, until
from .discord_fake import TOKEN, DiscordFake

# discord.py imports audioop for voice channels; from Python 3.13 on it installs a package instead.
AUDIOOP = "'audioop' is deprecated"
pytestmark = pytest.mark.filterwarnings(f"ignore:{AUDIOOP}:DeprecationWarning")


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordFake]:
    """A fake Discord at the addresses that discord.py uses."""
    async with DiscordFake() as discord:
        library = {name: importlib.import_module(f"discord.{name}") for name in ("http", "gateway")}
        monkeypatch.setattr(library["http"].Route, "BASE", discord.api_url)
        url = type(library["gateway"].DiscordWebSocket.DEFAULT_GATEWAY)(discord.gateway_url)
        monkeypatch.setattr(library["gateway"].DiscordWebSocket, "DEFAULT_GATEWAY", url)
        monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
        yield discord


@asynccontextmanager
async def running(bot: ModuleType, discord: DiscordFake) -> AsyncIterator[None]:
    """Run the bot's `main` and stop it as Ctrl-C does. It must leave no task and no connection to Discord."""
    before = asyncio.all_tasks()
    main, online = asyncio.create_task(bot.main()), asyncio.create_task(discord.online())
    await asyncio.wait({main, online}, return_when=asyncio.FIRST_COMPLETED)
    assert not main.done() or main.result()  # raises the error that stopped the bot
    try:
        yield
    finally:
        main.cancel()
        with suppress(asyncio.CancelledError):
            await main
    assert await discord.left() == 1000
    await until(lambda: not discord.connections)
    for task in asyncio.all_tasks() - before:
        if "_delay_ready" in repr(task):  # discord.py waits two seconds for guilds and does not cancel this on close
            task.cancel()
    await settle(before)


@pytest.fixture
async def bot(sandbox: Sandbox, discord: DiscordFake, load: Callable[[str], ModuleType]) -> AsyncIterator[ModuleType]:
    bot = load("discord_bot")
    async with running(bot, discord):
        yield bot


@pytest.mark.usefixtures("bot")
async def test_a_picture_is_drawn_while_discord_shows_that_the_bot_is_thinking(discord: DiscordFake) -> None:
    interaction = await discord.command("imagine", prompt="A red fox in snow")
    assert (await interaction.next()).deferred
    reply = await interaction.next()
    ((name, data),) = reply.files.items()
    assert name == "picture.png"
    assert reply.attachments[0]["description"] == "A red fox in snow"
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format == "PNG"


@pytest.mark.usefixtures("bot")
async def test_a_text_is_translated_into_the_language_of_choice(discord: DiscordFake) -> None:
    for user, (language, text) in enumerate({"twi": "Twi: Maakye", "ewe": "Ewe: Ŋdi"}.items()):
        interaction = await discord.command("translate", user, text="Good morning", language=language)
        assert (await interaction.next()).deferred
        assert (await interaction.next()).content == text


@pytest.mark.usefixtures("bot")
async def test_a_question_is_asked_with_the_conversation_of_its_user(
    discord: DiscordFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, sent = KellyAPI.chat, []

    def watched(api: KellyAPI, messages: list[Message], **options: int) -> Awaitable[ChatReply]:
        sent.append([message.content for message in messages])
        return chat(api, messages, **options)

    monkeypatch.setattr(KellyAPI, "chat", watched)
    for user, question, total in ((1, "2 + 3", 5), (1, "4 + 4", 8), (2, "5 + 5", 10)):
        interaction = await discord.command("ask", user, question=question)
        assert (await interaction.next()).deferred
        assert (await interaction.next()).content == f"[sandbox] {question} = {total}"
    assert sent == [["2 + 3"], ["2 + 3", "[sandbox] 2 + 3 = 5", "4 + 4"], ["5 + 5"]]


@pytest.mark.usefixtures("bot")
async def test_a_text_pings_nobody(discord: DiscordFake) -> None:
    interaction = await discord.command("translate", text="@everyone is here", language="twi")
    await interaction.next()
    reply = await interaction.next()
    assert "@everyone" in (reply.content or "")
    assert reply.mentions == ()


@pytest.mark.usefixtures("bot")
async def test_the_commands_are_registered_with_their_limits_and_languages(discord: DiscordFake) -> None:
    assert discord.commands.keys() == {"imagine", "ask", "translate"}
    (prompt,) = discord.commands["imagine"]["options"]
    assert (prompt["required"], prompt["min_length"], prompt["max_length"]) == (True, 1, 500)
    text, language = discord.commands["translate"]["options"]
    assert (text["min_length"], text["max_length"]) == (1, 1000)
    offered = [(choice["name"], choice["value"]) for choice in language["choices"]]
    assert offered == [(each.name, each.code) for each in TRANSLATION if each.code != "eng"]


async def test_the_gateway_uses_the_requested_compression_and_heartbeats(
    sandbox: Sandbox, discord: DiscordFake, load: Callable[[str], ModuleType]
) -> None:
    bot = load("discord_bot")
    async with running(bot, discord):
        expected_compression = importlib.import_module("discord.utils")._ActiveDecompressionContext.COMPRESSION_TYPE
        assert discord.compression == expected_compression
        interaction = await discord.command("translate", text="Good morning", language="twi")
        assert (await interaction.next()).deferred
        assert (await interaction.next()).content
    assert discord.heartbeats == 1


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("failure", "expected"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_is_explained_to_the_user(
    discord: DiscordFake,
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    failure: Script,
    expected: str,
) -> None:
    async with Server(failure) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(load("discord_bot"), discord):
            interaction = await discord.command("translate", text="Good morning", language="twi")
            assert (await interaction.next()).deferred
            assert (await interaction.next()).content == expected
    assert len(khaya.requests) == 1


@pytest.mark.usefixtures("sandbox")
async def test_a_bug_is_reported_to_the_user_and_logged_with_a_traceback(
    discord: DiscordFake,
    load: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot = load("discord_bot")
    async with running(bot, discord):
        monkeypatch.setattr(bot.KellyAPI, "translate", None)
        interaction = await discord.command("translate", text="Good morning", language="twi")
        assert (await interaction.next()).deferred
        assert (
            await interaction.next()
        ).content == "This cannot be done now. Please tell the owner to look into the log."
    (record,) = [record for record in caplog.records if "got no answer" in record.message]
    assert record.exc_info
    assert record.exc_info[0] is TypeError


@asynccontextmanager
async def slow_khaya(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """A Khaya whose translations wait for the event."""
    release = asyncio.Event()

    async def translate(exchange: Exchange) -> None:
        await exchange.read()
        await release.wait()
        await exchange.write(make_response(body=b'"Maakye"'))

    async with Server(translate) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        yield khaya, release


@pytest.mark.usefixtures("sandbox")
async def test_each_user_has_one_command_at_a_time(
    discord: DiscordFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, release), running(load("discord_bot"), discord):
        first = await discord.command("translate", user=1, text="Good morning", language="twi")
        assert (await first.next()).deferred
        await khaya.until(lambda: len(khaya.requests) == 1)
        second = await discord.command("translate", user=1, text="Good morning", language="ewe")
        busy = await second.next()
        assert (busy.content, busy.ephemeral) == ("I am still busy with your last command.", True)
        other = await discord.command("imagine", user=2, prompt="A red fox in snow")
        assert (await other.next()).deferred
        assert (await other.next()).files
        release.set()
        assert (await first.next()).content == "Twi: Maakye"
        await until(lambda: "CommandTree-invoker" not in {task.get_name() for task in asyncio.all_tasks()})
        again = await discord.command("translate", user=1, text="Good morning", language="ewe")
        assert (await again.next()).deferred
        assert (await again.next()).content == "Ewe: Maakye"


@pytest.mark.usefixtures("sandbox")
async def test_work_in_progress_is_delivered_before_the_bot_stops(
    discord: DiscordFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_khaya(monkeypatch) as (khaya, release):
        async with running(load("discord_bot"), discord):
            interaction = await discord.command("translate", text="Good morning", language="twi")
            await khaya.until(lambda: len(khaya.requests) == 1)
            asyncio.get_running_loop().call_soon(release.set)
        assert (await interaction.next()).deferred
        assert (await interaction.next()).content == "Twi: Maakye"


@pytest.mark.usefixtures("sandbox")
async def test_work_that_takes_too_long_is_cancelled_when_the_bot_stops(
    discord: DiscordFake, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = load("discord_bot")
    monkeypatch.setattr(bot, "SHUTDOWN_SECONDS", 0)
    async with Server(hang) as khaya:
        monkeypatch.setenv("KHAYA_BASE_URL", khaya.url)
        async with running(bot, discord):
            await discord.command("translate", text="Good morning", language="twi")
            await khaya.until(lambda: len(khaya.requests) == 1)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_bot_runs_from_the_shell_with_only_a_discord_token(
    discord: DiscordFake, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    monkeypatch.setenv("KELLYAPI_SANDBOX", "1")
    redirect = f"""
import warnings
warnings.filterwarnings("ignore", {AUDIOOP!r}, DeprecationWarning)
import discord.gateway, yarl
discord.http.Route.BASE = {discord.api_url!r}
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL({discord.gateway_url!r})
"""
    async with script(redirect + command("discord_bot")) as bot:
        await discord.online()
        interaction = await discord.command("imagine", prompt="A red fox in snow")
        assert (await interaction.next()).deferred
        assert (await interaction.next()).files["picture.png"].startswith(b"\x89PNG")
        bot.send_signal(stop)
        _, log = await bot.communicate()
    assert bot.returncode == 0
    assert complaints(log.decode()) == []
    assert await discord.left() == 1000
    await until(lambda: not discord.connections)
