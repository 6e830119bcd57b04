"""What a type checker must accept and refuse. mypy reads it, and reports an `ignore` that is not needed."""

from __future__ import annotations

from kellyapi import Kelly, KellyAPI, Khaya, ProviderName, Skytells, Translation


async def providers_are_named_by_literals(api: KellyAPI, name: ProviderName) -> None:
    result: Translation = await api.translate("a", "en-tw", provider="khaya", fallback=("khaya", "kelly"))
    await api.chat(result.text, provider=name)
    await api.translate("a", "en-tw", provider="openai")  # type: ignore[arg-type]  # it is no provider
    await api.translate("a", "en-tw", fallback=("khaya", "openai"))  # type: ignore[arg-type]  # nor here


def clients_are_attributes(api: KellyAPI) -> tuple[Kelly, Khaya, Skytells]:
    return api.kelly, api.khaya, api.skytells
