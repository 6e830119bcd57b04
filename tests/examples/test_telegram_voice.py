"""The Telegram bot example as a process, with its own sandbox and the real engines, stopped by a signal."""

from __future__ import annotations

import io
import signal

import pytest
import soundfile
from processes import script

from kellyapi import KellyAPI
from kellyapi.sandbox.engines.voice.audio_files import resample

from .conftest import command, complaints, until
from .telegram_fake import TelegramFake

OPUS_RATE = 48_000


async def voice_message(text: str) -> bytes:
    """Synthesize a text as Opus in Ogg, the form of Telegram's voice messages."""
    async with KellyAPI.sandbox() as api:
        samples, rate = soundfile.read(io.BytesIO((await api.synthesize(text)).audio), dtype="float32")
    file = io.BytesIO()
    soundfile.write(file, resample(samples, rate, OPUS_RATE), OPUS_RATE, format="OGG", subtype="OPUS")
    assert b"OpusHead" in file.getvalue()
    return file.getvalue()


async def test_a_voice_message_comes_back_in_another_language(
    telegram: TelegramFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KELLYAPI_SANDBOX", "1")
    message = await voice_message("What is your name?")
    async with script(command("telegram_bot")) as bot:
        telegram.speak(message)
        assert (await telegram.hear()).text == "I heard: what is your name"
        assert (await telegram.hear()).text == "Twi: Wo din de sɛn"
        voice = await telegram.hear()
        assert (voice.method, voice.file_name) == ("sendVoice", "speech.mp3")
        sound = soundfile.info(io.BytesIO(voice.file or b""))
        assert sound.format == "MP3"
        assert sound.duration > 0.3
        bot.send_signal(signal.SIGTERM)
        _, log = await bot.communicate()
    assert bot.returncode == 0
    assert complaints(log.decode()) == []
    await until(lambda: not telegram.connections)
