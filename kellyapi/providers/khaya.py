"""Khaya / GhanaNLP: translation, speech recognition and speech synthesis for African languages.

Owns its routes and their versions, its bodies and its errors. There is no public specification: each `Source:` names
the code that shows a rule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from attrs import frozen

from .._core.messages import FromResponse, Headers, Response
from .._core.options import Options, hide_proxy, read_timeout
from .._core.provider import ErrorBody, Provider
from .._core.provider_client import ProviderClient
from .._core.retry import RetryPolicy
from .._core.secrets import Key, as_secret
from .._core.streams import ByteStream
from .._data.decoding import decode
from .._data.media import MediaSource, open_media, sniff
from .._data.text import not_blank
from ..errors import DecodingError
from ..services.synthesize import Format, Speech
from ..services.transcribe import Segment, Timestamps, Transcript, Word
from ..services.translate import Translation, read_pair, translate_in_parts

if TYPE_CHECKING:
    from .._core.transport import SessionSource


_ROUTES = {
    "translation": {"v1": "/v1/translate", "v2": "/v2/translate"},
    "asr": {"v1": "/asr/v1/transcribe", "v2": "/asr/v2/transcribe", "v3": "/asr/v3/transcribe"},
    "tts": {"v1": "/tts/v1/tts", "v2": "/tts/v2/synthesize"},
}
_DEFAULT_VERSIONS = {"translation": "v1", "asr": "v3", "tts": "v1"}
_VARIABLES: tuple[tuple[str, str, Callable[[str], Any], str], ...] = (
    ("timeout", "TIMEOUT", lambda text: read_timeout(float(text)), "more than 0 seconds"),
    ("retry", "RETRY_ATTEMPTS", lambda text: RetryPolicy(attempts=int(text)), "a number from 1"),
)
_CODES = {"VALIDATION_FAILED": 400, "SYSTEM_ERROR": 500}


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read the application's envelope or the gateway's.

    Source: https://github.com/Khaya-AI/khaya-sdk
    """
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, dict):
        details = error.get("details")
        named = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
        reasons = [str(item["message"]) for item in named if item.get("message")]
        return ErrorBody(
            message=" ".join([str(error.get("message") or "the request was refused"), *reasons]),
            code=error.get("code"),
            status=_CODES.get(str(error.get("code"))),
            details=details,
            request_id=body.get("activityId") or error.get("activityId"),
        )
    if isinstance(body.get("statusCode"), int):
        return ErrorBody(message=str(body.get("message")), status=body["statusCode"], request_id=body.get("activityId"))
    return None


PROVIDER = Provider(
    name="khaya",
    title="Khaya",
    base_url="https://translation-api.ghananlp.org",
    variables="KHAYA",
    key_header="Ocp-Apim-Subscription-Key",
    read_error=read_error,
)


class Khaya(ProviderClient):
    """Khaya / GhanaNLP.

    `kellyapi.languages` lists the known codes. Every call but the lists is billed: it is not repeated once carried out.

    Source: https://pypi.org/project/khaya/0.3.0/, https://github.com/Khaya-AI/khaya-sdk (translation.py,
    tests/test_integration.py), https://github.com/Khaya-AI/khaya-claude-skills (speech recognition, speech synthesis)
    """

    PROVIDER = PROVIDER

    def __init__(
        self,
        api_key: Key | None = None,
        *,
        base_url: str | None = None,
        session: SessionSource | None = None,
        translation_version: Literal["v1", "v2"] | None = None,
        asr_version: Literal["v1", "v2", "v3"] | None = None,
        tts_version: Literal["v1", "v2"] | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Make a client as `Client` describes it; nothing is opened or sent.

        The versions default to `KHAYA_TRANSLATION_VERSION`, `KHAYA_ASR_VERSION` and `KHAYA_TTS_VERSION`, else v1, v3
        and v1. `KHAYA_TIMEOUT` (seconds) and `KHAYA_RETRY_ATTEMPTS` stand in for the options `timeout` and `retry`.
        """
        api_key = as_secret(api_key)
        given = {"translation": translation_version, "asr": asr_version, "tts": tts_version}
        self._wrong_settings: list[str] = []
        defaults = self._environment(hide_proxy(options))
        self._versions = {service: self._version(service, version) for service, version in given.items()}
        super().__init__(api_key, base_url=base_url, session=session, **cast(Options, {**defaults, **options}))

    async def translate(
        self,
        text: str,
        pair: str | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        split: bool = False,
    ) -> Translation:
        """Translate a text of up to 1,000 characters, or a longer one in parts with `split=True`.

        The languages are a pair ("en-tw") or `source` and `target`. Parts are cut at sentences and translated at once;
        the first failure ends the call, and the others may be billed. An empty text or an incomplete pair raises
        `ValueError`, a pair that the provider does not know `BadRequestError`.
        """
        source, target = read_pair(pair, source, target)

        def ask(part: str) -> Awaitable[str]:
            return self._post_json(self._path("translation"), {"in": part, "lang": f"{source}-{target}"}, into=str)

        text = not_blank(text, "text")
        translated = await (translate_in_parts(text, ask) if split else ask(text))
        return Translation(text=translated, source_language=source, target_language=target, provider="khaya")

    async def transcribe(
        self, audio: MediaSource, language: str, *, timestamps: Timestamps | None = None
    ) -> Transcript:
        """Write down what is said in an audio file.

        `audio` is a path (streamed, not read whole), bytes, a binary file, an async iterator of bytes, a `data:` URL or
        `Base64(text)`: WAV, MP3, FLAC or Ogg. `timestamps` fills `words` or `segments`, from version v2 on. A missing
        file raises `FileNotFoundError`, an empty one `ValueError`, what is no audio `BadRequestError`.
        """
        query = {"language": not_blank(language, "language")}
        if timestamps is not None:
            if timestamps not in ("word", "segment"):
                raise ValueError(f"timestamps must be 'word' or 'segment', not {timestamps!r}")
            if self._versions["asr"] == "v1":
                raise ValueError("timestamps need asr_version v2 or v3")
            query["timestamps"] = timestamps
        media = await open_media(audio, "audio")
        heard = await self._post_bytes(self._path("asr"), media, query, into=_read_recognition)
        for warning in heard.warnings:
            self._connection.logger.warning("%s", warning)
        return Transcript(
            text=heard.text,
            language=language,
            warnings=heard.warnings,
            words=heard.timings.words,
            segments=heard.timings.segments,
            provider="khaya",
        )

    async def synthesize(
        self, text: str, language: str, *, voice: str | None = None, format: Format | None = None
    ) -> Speech:
        """Speak a text; the answer is one complete file.

        `voice` is one of `await khaya.voices()`, the provider's choice without one. `format` other than the default WAV
        goes through version v2. A blank text, which would be billed, raises `ValueError`; an unknown language or voice
        `BadRequestError`.
        """
        data = _speech_request(text, language, voice, format)
        path = self._path("tts") if format is None else _ROUTES["tts"]["v2"]
        response = await self._post_json(path, data, into=FromResponse(_check_audio))
        return Speech(
            audio=response.body, mime=sniff(response.body) or response.content_type, language=language, provider="khaya"
        )

    def synthesize_stream(
        self, text: str, language: str, *, voice: str | None = None, format: Literal["wav", "mp3"] | None = None
    ) -> ByteStream:
        """Speak a text and give the audio while it is made: `async with khaya.synthesize_stream(…) as stream: async for
        piece in stream: …`.

        Joined, the pieces are one file. Errors are those of `synthesize`, raised when the block is entered.
        """
        if format not in (None, "wav", "mp3"):
            raise ValueError(f"the format of a stream must be 'wav' or 'mp3', not {format!r}")
        data = {**_speech_request(text, language, voice, format), "stream": True}
        return self._stream(_ROUTES["tts"]["v2"], data, accepts=_is_audio, blank="no audio in the answer")

    async def languages(self, service: Literal["translation", "transcription", "synthesis"]) -> dict[str, str]:
        """Give the languages of a service as code -> name."""
        if service == "translation":
            return await self._fetch(f"/{self._versions['translation']}/languages", into=_read_named)
        if service == "transcription":
            return await self._fetch("/asr/v3/languages", into=_read_listed)
        if service == "synthesis":
            return await self._fetch(f"/tts/{self._versions['tts']}/languages", into=_read_reversed)
        raise ValueError(f"service must be 'translation', 'transcription' or 'synthesis', not {service!r}")

    async def voices(self) -> tuple[str, ...]:
        """Give the names that `synthesize` takes as `voice`; every voice speaks every language."""
        groups = await self._fetch(f"/tts/{self._versions['tts']}/speakers", into=_Speakers)
        return tuple(dict.fromkeys(voice for voices in groups.speakers.values() for voice in voices))

    def _path(self, service: str) -> str:
        return _ROUTES[service][self._versions[service]]

    def _problem(self) -> str | None:
        return next(iter(self._wrong_settings), None) or super()._problem()

    def _version(self, service: str, given: str | None) -> str:
        name, versions = f"{service.upper()}_VERSION", ", ".join(_ROUTES[service])
        if given is not None and given not in _ROUTES[service]:
            raise ValueError(f"{service}_version must be one of {versions}, not {given!r}")
        version = given or self._variable(name) or _DEFAULT_VERSIONS[service]
        if version in _ROUTES[service]:
            return version
        self._wrong_settings.append(f"KHAYA_{name} must be one of {versions}, not {version!r}")
        return _DEFAULT_VERSIONS[service]

    def _environment(self, given: Options) -> dict[str, Any]:
        """Read the options that are not given and have a variable."""
        found: dict[str, Any] = {}
        for option, name, read, right in _VARIABLES:
            text = self._variable(name)
            if option not in given and text is not None:
                try:
                    found[option] = read(text)
                except ValueError:
                    self._wrong_settings.append(f"KHAYA_{name} must be {right}, not {text!r}")
        return found


@frozen
class _Timings:
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()


@frozen
class _Recognition:
    text: str
    warnings: tuple[str, ...] = ()
    timings: _Timings = _Timings()


@frozen
class _Named:
    languages: dict[str, str]


@frozen
class _Listed:
    languages: tuple[_Language, ...]


@frozen
class _Language:
    code: str
    name: str


@frozen
class _Speakers:
    speakers: dict[str, tuple[str, ...]]


def _read_recognition(value: Any) -> _Recognition:
    """Version v1 answers with a bare string, the later ones with an object."""
    return _Recognition(value) if isinstance(value, str) else decode(value, _Recognition)


def _read_named(value: Any) -> dict[str, str]:
    return decode(value, _Named).languages


def _read_reversed(value: Any) -> dict[str, str]:
    """Synthesis alone lists name -> code."""
    return {code: name for name, code in decode(value, _Named).languages.items()}


def _read_listed(value: Any) -> dict[str, str]:
    return {language.code: language.name for language in decode(value, _Listed).languages}


def _speech_request(text: str, language: str, voice: str | None, format: str | None) -> dict[str, Any]:
    if format not in (None, "wav", "mp3", "ogg"):
        raise ValueError(f"format must be 'wav', 'mp3' or 'ogg', not {format!r}")
    # The field is speaker_id: `speaker` would be dropped without a word, and the voice never change.
    optional = {"speaker_id": voice, "format": format}
    return {
        "text": not_blank(text, "text"),
        "language": not_blank(language, "language"),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _check_audio(response: Response) -> Response:
    if not (response.content_type.startswith("audio/") or (sniff(response.body) or "").startswith("audio/")):
        raise DecodingError(f"{response.content_type or 'no content type'} instead of audio: {response.beginning}")
    if not response.body:
        raise DecodingError("no audio in the answer")
    return response


def _is_audio(headers: Headers) -> bool:
    return headers.get("Content-Type", "").lower().startswith(("audio/", "application/octet-stream"))
