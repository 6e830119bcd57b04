"""A Telegram bot that says in another language what it is told: a voice message or a text in, text and speech out.

Keys come from the environment: TELEGRAM_TOKEN and KHAYA_API_KEY. With KELLYAPI_SANDBOX=1 no key but Telegram's is
needed. TELEGRAM_API is the address of a Bot API server of your own.
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
LONGEST_TEXT, LONGEST_VOICE = 1000, 60  # characters and seconds: what one message may cost you
LAST_SECONDS = 20  # for work that is under way when the bot is stopped

dispatcher = Dispatcher()
work = Router()
dispatcher.include_router(work)
under_way: dict[int, asyncio.Task[Any]] = {}


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


@dispatcher.message((F.text.len() > LONGEST_TEXT) | (F.voice.duration > LONGEST_VOICE))
async def refuse(message: Message) -> None:
    await message.reply(f"That is too long: I take {LONGEST_TEXT} characters or {LONGEST_VOICE} seconds.")


@work.message.middleware()
async def one_at_a_time(
    answer: Callable[[Message, dict[str, Any]], Awaitable[Any]], message: Message, data: dict[str, Any]
) -> None:
    """Work for one message of a user at a time, show that the work goes on, and say what failed."""
    user = data["event_from_user"].id
    if user in under_way:
        await message.reply("I am still busy with your last message. Please send this one again after it.")
        return
    under_way[user] = asyncio.current_task()
    try:
        async with ChatActionSender.record_voice(bot=data["bot"], chat_id=message.chat.id):
            await answer(message, data)
    except KellyAPIError as error:
        logging.warning("user %s got no answer: %s", user, error)
        await message.reply(explain(error))
    finally:
        del under_way[user]


@work.message(F.voice.as_("voice"))
async def answer_voice(message: Message, voice: Voice, bot: Bot, api: KellyAPI, state: FSMContext) -> None:
    audio = io.BytesIO()
    await bot.download(voice, audio)
    heard = await api.transcribe(audio.getvalue())
    await message.reply(f"I heard: {heard.text}" if heard.text else "I heard no words in this.")
    if heard.text:
        await speak(message, api, state, heard.text)


@work.message(F.text.as_("text"), ~F.text.startswith("/"))
async def answer_text(message: Message, text: str, api: KellyAPI, state: FSMContext) -> None:
    await speak(message, api, state, text)


async def speak(message: Message, api: KellyAPI, state: FSMContext, text: str) -> None:
    """Send the translation as soon as it is there, and then its sound."""
    code = (await state.get_data()).get("language", "twi")
    translation = await api.translate(text, source="eng", target=code, split=True)
    await message.reply(f"{LANGUAGES[code]}: {translation.text}")
    speech = await api.synthesize(translation.text, code, format="mp3")  # Telegram's voices are MP3, M4A or Opus
    await message.answer_voice(BufferedInputFile(speech.audio, "speech.mp3"))


@dispatcher.shutdown()
async def finish() -> None:
    """Let the work that is under way end, since it may be paid for already."""
    if under_way:
        _, late = await asyncio.wait(under_way.values(), timeout=LAST_SECONDS)
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
