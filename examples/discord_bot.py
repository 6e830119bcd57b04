"""A Discord bot: /imagine draws a picture, /ask holds a conversation, /translate translates an English text.

Keys come from the environment: DISCORD_TOKEN, SKYTELLS_API_KEY for pictures and conversations, and KHAYA_API_KEY for
translations. With KELLYAPI_SANDBOX=1 only the Discord token is needed.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
from collections import deque
from contextlib import suppress
from typing import Any

import discord
from discord import app_commands
from explain import explain

from kellyapi import KellyAPI, KellyAPIError, Message
from kellyapi.languages import TRANSLATION

LANGUAGES = [app_commands.Choice(name=each.name, value=each.code) for each in TRANSLATION if each.code != "eng"]
REMEMBERED = 10  # messages of each user's conversation, questions and replies
SHUTDOWN_SECONDS = 20  # for commands that are in progress when the bot is stopped


class Bot(discord.Client):
    """The connection to Discord, with one client of kellyapi for all commands."""

    def __init__(self, api: KellyAPI) -> None:
        # Slash commands need no intents, although discord.py warns. Texts of users must not ping anyone.
        super().__init__(intents=discord.Intents.none(), allowed_mentions=discord.AllowedMentions.none())
        self.api = api
        self.in_progress: dict[int, asyncio.Task[Any]] = {}
        self.conversations: dict[int, deque[Message]] = {}  # by user, until the bot is stopped
        self.tree = Commands(self)

    async def setup_hook(self) -> None:
        self.tree.add_command(imagine)
        self.tree.add_command(ask)
        self.tree.add_command(translate)
        await self.tree.sync()

    async def close(self) -> None:
        """Wait for the commands that are in progress, since they may be paid for already."""
        if self.in_progress:
            _, late = await asyncio.wait(self.in_progress.values(), timeout=SHUTDOWN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await super().close()


class Commands(app_commands.CommandTree[Bot]):
    """The start and the error handling of all commands."""

    async def interaction_check(self, interaction: discord.Interaction[Bot]) -> bool:
        """Allow one command per user at a time, and defer the response: Discord waits only 3 seconds."""
        user, in_progress = interaction.user.id, self.client.in_progress
        if user in in_progress:
            await interaction.response.send_message("I am still busy with your last command.", ephemeral=True)
            return False
        in_progress[user] = task = asyncio.current_task()
        task.add_done_callback(lambda _: in_progress.pop(user))
        await interaction.response.defer(thinking=True)
        return True

    async def on_error(self, interaction: discord.Interaction[Bot], error: app_commands.AppCommandError) -> None:
        cause = getattr(error, "original", error)
        bug = None if isinstance(cause, KellyAPIError) else cause
        logging.warning("user %s got no answer: %s", interaction.user.id, cause, exc_info=bug)
        await interaction.edit_original_response(content=explain(cause))


@app_commands.command(description="Draw a picture")
@app_commands.describe(prompt="What the picture should show")
async def imagine(interaction: discord.Interaction[Bot], prompt: app_commands.Range[str, 1, 500]) -> None:
    picture = await interaction.client.api.generate_image(prompt)
    file = discord.File(io.BytesIO(picture.data), f"picture.{picture.mime.partition('/')[2]}", description=prompt)
    await interaction.edit_original_response(attachments=[file])


@app_commands.command(description="Ask something; the bot remembers what you said before")
@app_commands.describe(question="What you want to know")
async def ask(interaction: discord.Interaction[Bot], question: app_commands.Range[str, 1, 1000]) -> None:
    bot = interaction.client
    conversation = bot.conversations.setdefault(interaction.user.id, deque(maxlen=REMEMBERED))
    asked = Message("user", question)
    reply = await bot.api.chat([*conversation, asked], max_tokens=500)
    conversation += [asked, Message("assistant", reply.text)]
    await interaction.edit_original_response(content=reply.text[:2000])


@app_commands.command(description="Translate an English text")
@app_commands.describe(text="The text, in English", language="The language that you want it in")
@app_commands.choices(language=LANGUAGES)
async def translate(
    interaction: discord.Interaction[Bot], text: app_commands.Range[str, 1, 1000], language: app_commands.Choice[str]
) -> None:
    translation = await interaction.client.api.translate(text, source="eng", target=language.value)
    await interaction.edit_original_response(content=f"{language.name}: {translation.text}"[:2000])


async def main() -> None:
    async with KellyAPI.sandbox() if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI() as api, Bot(api) as bot:
        await bot.start(os.environ["DISCORD_TOKEN"])  # until Ctrl-C or SIGTERM


if __name__ == "__main__":
    discord.utils.setup_logging(level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
