"""What a type checker must accept and refuse. mypy reads it, and reports an `ignore` that is not needed."""

from __future__ import annotations

from kellyapi import Kelly, KellyAPI, Khaya, ProviderName, Skytells, Translation
from kellyapi.providers.aerostack.ai import AI
from kellyapi.providers.skytells.enums import SkytellsErrorId
from kellyapi.services.chat import CharacterChat, LanguageModels
from kellyapi.services.images import ImageGenerator, KellyImages
from kellyapi.services.synthesize import EnglishSpeaker, KhayaSpeaker
from kellyapi.services.transcribe import EnglishTranscriber, KhayaTranscriber
from kellyapi.services.translate import Translator


async def providers_are_named_by_literals(api: KellyAPI, name: ProviderName) -> None:
    result: Translation = await api.translate("a", "en-tw", provider="khaya", fallback=("khaya", "kelly"))
    await api.chat(result.text, provider=name)
    await api.translate("a", "en-tw", provider="openai")  # type: ignore[arg-type]  # it is no provider
    await api.translate("a", "en-tw", fallback=("khaya", "openai"))  # type: ignore[arg-type]  # nor here


def clients_are_attributes(api: KellyAPI) -> tuple[Kelly, Khaya, Skytells]:
    return api.kelly, api.khaya, api.skytells


async def filters_and_options_are_named(skytells: Skytells) -> None:
    async for prediction in skytells.predictions.iterate(status="succeeded", model="m", per_page=5):
        print(prediction.id)
    skytells.predictions.iterate(statsu="succeeded")  # type: ignore[call-arg]  # a misspelt filter
    await skytells.predictions.list(since=5)  # type: ignore[arg-type]  # it is no date
    await skytells.run("m", {}, timeout=5.0, cancel_on_exit=True)
    await skytells.run("m", {}, timeuot=5.0)  # type: ignore[call-arg]  # a misspelt option


def members_are_known() -> str:
    return SkytellsErrorId.UNAUTHORIZED.value


def clients_fit_their_routes(kelly: Kelly, khaya: Khaya, skytells: Skytells, ai: AI) -> None:
    """Each client has what the routes of the services call."""
    kelly_chat: CharacterChat = kelly
    aerostack_chat: LanguageModels = ai
    images: KellyImages = kelly
    generator: ImageGenerator = skytells
    kelly_speech: EnglishSpeaker = kelly
    khaya_speech: KhayaSpeaker = khaya
    english: EnglishTranscriber = kelly
    transcriber: KhayaTranscriber = khaya
    translator: Translator = khaya
    print(kelly_chat, aerostack_chat, images, generator, kelly_speech, khaya_speech, english, transcriber, translator)
