"""Khaya / GhanaNLP: translation, speech recognition and speech synthesis for African languages.

The provider publishes no specification, so each `Source:` names public code that shows how the protocol works.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack

from attrs import evolve, frozen

from .._core.messages import TRANSCRIPTION_TIMEOUT, FromResponse, Headers, Response
from .._core.options import Options, hide_secrets, read_timeout
from .._core.provider import ErrorBody, Provider
from .._core.provider_client import ProviderClient
from .._core.retry import RetryPolicy
from .._core.secrets import Key, as_secret
from .._core.streams import ByteStream
from .._data.arguments import NotBlank
from .._data.decoding import Shape
from .._data.media import MediaSource, open_media
from .._data.media_types import sniff
from .._data.result import NOTE_HEADER
from .._data.text import printable
from ..errors import DecodingError
from ..services.synthesize import Format, Speech
from ..services.transcribe import Segment, Timestamps, Transcript, Word
from ..services.translate import Translation, make_translation, read_pair, translate_in_parts

if TYPE_CHECKING:
    from .._core.transport import SessionSource


_ROUTES = {
    "translation": {"v1": "/v1/translate", "v2": "/v2/translate"},
    "asr": {"v1": "/asr/v1/transcribe", "v2": "/asr/v2/transcribe", "v3": "/asr/v3/transcribe"},
    "tts": {"v1": "/tts/v1/tts", "v2": "/tts/v2/synthesize"},
}
_DEFAULT_VERSIONS = {"translation": "v1", "asr": "v3", "tts": "v1"}
_CODES = {"VALIDATION_FAILED": 400, "SYSTEM_ERROR": 500}


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read the error body of the application, `{"error": {…}}`, or of the gateway in front of it, `{"statusCode": …}`.

    Source: https://github.com/Khaya-AI/khaya-sdk
    """
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, dict) and (status >= 300 or any(error.values())):  # with a result, it may be empty
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
    """Client of Khaya / GhanaNLP.

    `kellyapi.languages` lists the known language codes. Every call is billed, except `languages` and `voices`. A call
    is not sent again if the first attempt may have been carried out.

    Source: https://pypi.org/project/khaya/0.3.0/, https://github.com/Khaya-AI/khaya-sdk (translation.py,
    tests/test_integration.py), https://github.com/Khaya-AI/khaya-claude-skills (speech recognition, speech synthesis)
    """

    PROVIDER = PROVIDER
    _VARIABLES = (
        *ProviderClient._VARIABLES,
        ("timeout", "TIMEOUT", lambda text: read_timeout(float(text)), "more than 0 seconds"),
        ("retry", "RETRY_ATTEMPTS", lambda text: RetryPolicy(attempts=int(text)), "a number from 1"),
    )

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
        """Create a client. Nothing is opened or sent.

        Args:
            api_key: The key, or a function that returns it; by default `KHAYA_API_KEY` from the environment.
            base_url: The address; by default `KHAYA_BASE_URL`, otherwise the provider's own.
            session: An `aiohttp.ClientSession`, which is never closed here, or a function that creates one.
            translation_version: By default `KHAYA_TRANSLATION_VERSION`, otherwise v1.
            asr_version: The version of speech recognition; by default `KHAYA_ASR_VERSION`, otherwise v3.
            tts_version: The version of speech synthesis; by default `KHAYA_TTS_VERSION`, otherwise v1.
            **options: See `kellyapi.Options`. `timeout`, `retry` and `allow_http` default to `KHAYA_TIMEOUT`
                (seconds), `KHAYA_RETRY_ATTEMPTS` and `KHAYA_ALLOW_HTTP`.
        """
        api_key = as_secret(api_key)
        given = {"translation": translation_version, "asr": asr_version, "tts": tts_version}
        hide_secrets(options)
        self._versions = {service: self._version(service, version) for service, version in given.items()}
        super().__init__(api_key, base_url=base_url, session=session, **options)

    async def translate(
        self,
        text: NotBlank,
        pair: NotBlank | None = None,
        *,
        source: NotBlank | None = None,
        target: NotBlank | None = None,
        split: bool = False,
    ) -> Translation:
        """Translate a text.

        Args:
            text: Up to 1,000 characters, or any length with `split=True`.
            pair: The languages, such as "en-tw".
            source: The language of the text, if you pass no pair.
            target: The language to translate into, if you pass no pair.
            split: Cut a longer text at sentences and translate its parts concurrently, up to 8 at once. Each part is
                billed. The first part that fails ends the call: the parts that run may still be billed, the others are
                not sent. The error has the translations so far in `.partial`.

        Raises:
            ValueError: The text is blank, or the languages are incomplete.
            BadRequestError: The provider does not support this pair of languages.

        Example::

            hello = await khaya.translate("Good morning", "en-tw")
            print(hello.text)
        """
        source, target = read_pair(pair, source, target)

        def finish(translated: str) -> Translation:
            return make_translation(text=translated, source_language=source, target_language=target, provider="khaya")

        def add_note(translation: Translation, headers: Mapping[str, str]) -> Translation:
            warnings = _read_note(headers)
            return evolve(translation, warnings=warnings) if warnings else translation

        def translate_one(part: str) -> Awaitable[Translation]:
            data = {"in": part, "lang": f"{source}-{target}"}
            return self._post_json(self._path("translation"), data, into=Shape(str, finish, add_note))

        return await (translate_in_parts(text, translate_one) if split else translate_one(text))

    async def transcribe(
        self, audio: MediaSource, language: NotBlank, *, timestamps: Timestamps | None = None
    ) -> Transcript:
        """Recognise the speech in an audio file.

        Args:
            audio: WAV, MP3, FLAC or Ogg, as a path (streamed, not read into memory), bytes, a binary file, an
                upload of a web framework, an iterator of bytes, a `Speech`, a `data:` URL or `Base64(text)`.
            language: The code of the spoken language, such as "twi".
            timestamps: "word" fills `words` of the transcript, "segment" fills `segments`. Needs version v2 or v3.

        By default the whole call has no limit. It waits up to 600 s for the response after the upload, and ends after
        60 s in which nothing moves. The option `timeout` replaces these limits.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The audio is empty, or version v1 is used with timestamps.
            BadRequestError: The provider cannot read the audio or does not support the language.

        Example::

            transcript = await khaya.transcribe("hello.wav", "twi", timestamps="word")
            for word in transcript.words:
                print(word.start, word.word)
        """
        query = {"language": language}
        if timestamps is not None:
            if self._versions["asr"] == "v1":
                raise ValueError("timestamps need asr_version v2 or v3")
            query["timestamps"] = timestamps
        media = await open_media(audio, "audio")

        def finish(found: _Recognition) -> Transcript:
            return Transcript(
                text=found.text,
                language=language,
                warnings=found.warnings,
                words=found.timings.words,
                segments=found.timings.segments,
                provider="khaya",
            )

        shape = Shape(_Recognition, finish)
        transcript = await self._post_bytes(self._path("asr"), media, query, into=shape, timeout=TRANSCRIPTION_TIMEOUT)
        for warning in transcript.warnings:
            self._connection.logger.warning("%s", warning)
        return transcript

    async def synthesize(
        self, text: NotBlank, language: NotBlank, *, voice: NotBlank | None = None, format: Format | None = None
    ) -> Speech:
        """Turn a text into speech.

        Args:
            text: The text to speak.
            language: The code of its language, such as "twi".
            voice: One of `await khaya.voices()`. If you pass none, the provider chooses one.
            format: "wav", "mp3" or "ogg"; by default WAV. If you pass a format, version v2 is used.

        Returns:
            One complete audio file.

        Raises:
            ValueError: The text is blank. The provider would bill it.
            BadRequestError: The provider does not know the language or the voice.

        Example::

            speech = await khaya.synthesize("Maakye", "twi", voice="female")
            await speech.save("maakye.wav")
        """
        data = _speech_request(text, language, voice, format)
        path = self._path("tts") if format is None else _ROUTES["tts"]["v2"]

        def finish(response: Response) -> Speech:
            _check_audio(response)
            mime = sniff(response.body) or response.content_type
            warnings = _read_note(response.headers)
            return Speech(audio=response.body, mime=mime, language=language, warnings=warnings, provider="khaya")

        return await self._post_json(path, data, into=FromResponse(finish))

    def synthesize_stream(
        self,
        text: NotBlank,
        language: NotBlank,
        *,
        voice: NotBlank | None = None,
        format: Literal["wav", "mp3"] | None = None,
    ) -> ByteStream:
        """Turn a text into speech, and receive the audio while it is generated.

        Args:
            text: The text to speak.
            language: The code of its language, such as "twi".
            voice: One of `await khaya.voices()`. If you pass none, the provider chooses one.
            format: "wav" or "mp3"; by default WAV.

        Returns:
            A stream of bytes. Joined, its pieces are one audio file. Errors of the provider are raised when the
            `async with` block is entered.

        Example::

            async with khaya.synthesize_stream("Maakye", "twi") as stream:
                async for piece in stream:
                    player.write(piece)
        """
        data = {**_speech_request(text, language, voice, format), "stream": True}
        return self._stream(_ROUTES["tts"]["v2"], data, accepts=_is_audio, blank="no audio in the response")

    async def languages(self, service: Literal["translation", "transcription", "synthesis"]) -> dict[str, str]:
        """Return the languages of a service, as a dict from code to name."""
        path, shape = _LANGUAGE_LISTS[service]
        return await self._fetch(path.format(**self._versions), into=shape)

    async def voices(self) -> tuple[str, ...]:
        """Return the voices of `synthesize`. Every voice speaks every language."""
        return await self._fetch(f"/tts/{self._versions['tts']}/speakers", into=_VOICES)

    def _path(self, service: str) -> str:
        return _ROUTES[service][self._versions[service]]

    def _version(self, service: str, given: str | None) -> str:
        name, versions = f"{service.upper()}_VERSION", ", ".join(_ROUTES[service])
        version = given or self._variable(name) or _DEFAULT_VERSIONS[service]
        if version in _ROUTES[service]:
            return version
        self._refuse_variable(name, version, f"one of {versions}")
        return _DEFAULT_VERSIONS[service]


@frozen
class _Timings:
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()


@frozen
class _Recognition:
    text: str
    warnings: tuple[str, ...] = ()
    timings: _Timings = _Timings()

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Turn the bare string that version v1 sends into the object that later versions send."""
        return {"text": value} if isinstance(value, str) else value


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


_LANGUAGE_LISTS: dict[str, tuple[str, Shape[dict[str, str]]]] = {
    "translation": ("/{translation}/languages", Shape(_Named, lambda found: found.languages)),
    "transcription": (
        "/asr/v3/languages",
        Shape(_Listed, lambda found: {language.code: language.name for language in found.languages}),
    ),
    # Only synthesis lists its languages as name -> code.
    "synthesis": (
        "/tts/{tts}/languages",
        Shape(_Named, lambda found: {code: name for name, code in found.languages.items()}),
    ),
}
"""By service: the path of its list, with a placeholder for the version, and the shape of the response."""
_VOICES = Shape(
    _Speakers, lambda found: tuple(dict.fromkeys(voice for voices in found.speakers.values() for voice in voices))
)


def _speech_request(text: NotBlank, language: str, voice: str | None, format: str | None) -> dict[str, Any]:
    # The server reads `speaker_id`. It ignores a field `speaker` without an error.
    optional = {"speaker_id": voice, "format": format}
    return {
        "text": text,
        "language": language,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _read_note(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the sandbox says of its response, as the warnings of a result."""
    note = headers.get(NOTE_HEADER)
    return (printable(note),) if note else ()


def _check_audio(response: Response) -> None:
    if not (response.content_type.startswith("audio/") or (sniff(response.body) or "").startswith("audio/")):
        raise DecodingError(f"{response.content_type or 'no content type'} instead of audio: {response.beginning}")
    if not response.body:
        raise DecodingError("no audio in the response")
    if response.body.lstrip()[:1] in (b"{", b"<") and sniff(response.body) is None:
        raise DecodingError(f"a text instead of audio: {response.beginning}")


def _is_audio(headers: Headers) -> bool:
    return headers.get("Content-Type", "").lower().startswith(("audio/", "application/octet-stream"))
