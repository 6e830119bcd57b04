"""A Telegram bot that translates voice messages and texts: it replies with text and speech.

Keys come from the environment: TELEGRAM_TOKEN and KHAYA_API_KEY. With KELLYAPI_SANDBOX=1 only the Telegram token is
needed. TELEGRAM_API can be the address of your own Bot API server.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import BufferedInputFile, Message, Voice
from aiogram.utils.chat_action import ChatActionSender
from explain import explain

from kellyapi import KellyAPI, KellyAPIError
from kellyapi.languages import TRANSLATION

LANGUAGES = {language.code: language.name for language in TRANSLATION if language.code != "eng"}
MAX_TEXT, MAX_VOICE = 1000, 60  # characters and seconds: they limit what one message can cost you
SHUTDOWN_SECONDS = 20  # for messages that are in progress when the bot is stopped

dispatcher = Dispatcher()
work = Router()
dispatcher.include_router(work)
in_progress: dict[int, asyncio.Task[Any]] = {}


@dispatcher.message(Command("start", "help"))
async def greet(message: Message) -> None:
    codes = ", ".join(f"{code} ({name})" for code, name in LANGUAGES.items())
    await message.answer(f"Speak or write to me in English. /language CODE chooses the language of my answer: {codes}.")


@dispatcher.message(Command("language"))
async def choose_language(message: Message, command: CommandObject, state: FSMContext) -> None:
    code = (command.args or "").strip().lower()
    if code not in LANGUAGES:
        await message.reply(f"I know {', '.join(LANGUAGES)}. Send one of them, such as /language ewe.")
        return
    await state.update_data(language=code)
    await message.reply(f"From now on you get {LANGUAGES[code]}.")


@dispatcher.message((F.text.len() > MAX_TEXT) | (F.voice.duration > MAX_VOICE))
async def refuse(message: Message) -> None:
    await message.reply(f"That is too long: I take up to {MAX_TEXT} characters or {MAX_VOICE} seconds.")


@work.message.middleware()
async def one_at_a_time(
    handler: Callable[[Message, dict[str, Any]], Awaitable[Any]], message: Message, data: dict[str, Any]
) -> None:
    """Handle one message of a user at a time, show "recording voice" meanwhile, and explain failures."""
    user = data["event_from_user"].id
    if user in in_progress:
        await message.reply("I am still busy with your last message. Please send this one again after it.")
        return
    in_progress[user] = asyncio.current_task()
    try:
        async with ChatActionSender.record_voice(bot=data["bot"], chat_id=message.chat.id):
            await handler(message, data)
    except KellyAPIError as error:
        logging.warning("user %s got no answer: %s", user, error)
        await message.reply(explain(error))
    finally:
        del in_progress[user]


@work.message(F.voice.as_("voice"))
async def handle_voice(message: Message, voice: Voice, bot: Bot, api: KellyAPI, state: FSMContext) -> None:
    audio = io.BytesIO()
    await bot.download(voice, audio)
    transcript = await api.transcribe(audio.getvalue())
    await message.reply(f"I heard: {transcript.text}" if transcript.text else "I heard no words in this.")
    if transcript.text:
        await send_translation(message, api, state, transcript.text)


@work.message(F.text.as_("text"), ~F.text.startswith("/"))
async def handle_text(message: Message, text: str, api: KellyAPI, state: FSMContext) -> None:
    await send_translation(message, api, state, text)


async def send_translation(message: Message, api: KellyAPI, state: FSMContext, text: str) -> None:
    """Send the translation as text, then as speech."""
    code = (await state.get_data()).get("language", "twi")
    translation = await api.translate(text, source="eng", target=code, split=True)
    await message.reply(f"{LANGUAGES[code]}: {translation.text}")
    speech = await api.synthesize(translation.text, code, format="mp3")  # Telegram's voices are MP3, M4A or Opus
    await message.answer_voice(BufferedInputFile(speech.audio, "speech.mp3"))


@dispatcher.shutdown()
async def finish() -> None:
    """Wait for the messages that are in progress, since they may be paid for already."""
    if in_progress:
        _, late = await asyncio.wait(in_progress.values(), timeout=SHUTDOWN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def main() -> None:
    server = TelegramAPIServer.from_base(os.environ.get("TELEGRAM_API", "https://api.telegram.org"))
    bot = Bot(os.environ["TELEGRAM_TOKEN"], session=AiohttpSession(api=server))
    async with KellyAPI.sandbox() if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI() as api:
        await dispatcher.start_polling(bot, api=api)  # until Ctrl-C or SIGTERM


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
