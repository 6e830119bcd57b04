"""Embeddings: the result, the service, and the routes to the providers."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from .._data.arguments import Count, FilePath, NotBlank, checked
from .._data.files import save
from .._data.json_text import dumps
from .._data.threads import run_off_loop
from ..errors import DecodingError
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last

Vectors = Sequence[Sequence[float]]
_BYTES_PER_NUMBER = 20
"""About as many as a number has in JSON."""


@frozen
class EmbeddingUsage:
    """The tokens that embeddings used."""

    prompt_tokens: int = 0
    total_tokens: int = 0


def _sizes(vectors: Vectors) -> str:
    lengths = sorted({len(vector) for vector in vectors})
    return f"<{len(vectors)} vectors of {' or '.join(map(str, lengths)) or 0} numbers>"


@frozen(field_transformer=provider_fields_last)
class Embeddings(ServiceResult):
    """Vectors, one per text."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=_sizes)
    """One vector per text, in the same order."""
    model: str | None = None
    usage: EmbeddingUsage | None = None
    provider: str = field(default="skytells", kw_only=True)
    """The provider that returned the vectors."""

    @checked
    async def save(self, path: FilePath) -> Path:
        """Write the vectors to a file, atomically and without blocking the event loop, and return the path.

        A name that ends with ".npy" gets the format of NumPy: an array of 64-bit floats with a row per text, which
        `numpy.load(path)` reads. Any other name gets JSON Lines: an array of numbers per text.

        Raises:
            ValueError: The name ends with ".npy", and the vectors have different lengths.
        """
        encode = _to_npy if str(path).lower().endswith(".npy") else _to_json_lines
        numbers = sum(map(len, self.vectors))
        return await save(path, await run_off_loop(encode, self.vectors, size=numbers * _BYTES_PER_NUMBER))


def _to_json_lines(vectors: Vectors) -> bytes:
    return b"".join(dumps(vector) + b"\n" for vector in vectors)


def _to_npy(vectors: Vectors) -> bytes:
    """Write an array in the format of NumPy.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    length = len(vectors[0]) if vectors else 0
    if any(len(vector) != length for vector in vectors):
        raise ValueError("the vectors have different lengths: save them as JSON Lines, with another name than .npy")
    shape = (len(vectors), length)
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + "\n"  # so that the data begins at a multiple of 64
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    return head + struct.pack(f"<{len(vectors) * length}d", *chain.from_iterable(vectors))


def check_vectors(found: Embeddings, texts: int) -> Embeddings:
    """Return embeddings that have a vector for each text.

    Raises:
        DecodingError: There are more or fewer. `partial` is the embeddings, which are paid for.
    """
    if len(found.vectors) != texts:
        error = DecodingError(f"{texts} vectors were expected, one for each text, and {len(found.vectors)} came")
        error.partial = found
        raise error
    return found


@frozen(kw_only=True)
class EmbedArguments:
    """The arguments of `embed`; `None` means that it was not passed."""

    texts: Sequence[str]
    model: str | None = None
    dimensions: int | None = None


class EmbeddingModels(Protocol):
    """The resource of a provider that has embeddings."""

    def create(self, model: str, input: Sequence[str], *, dimensions: int | None = None) -> Awaitable[Embeddings]:
        """Turn texts into vectors."""


class Embedder(Protocol):
    """A client that turns texts into vectors."""

    @property
    def embeddings(self) -> EmbeddingModels:
        """The resource that does it."""


_SKYTELLS_MODEL = "text-embedding-3-small"


def _call_skytells(client: Embedder, given: EmbedArguments) -> Awaitable[Embeddings]:
    return client.embeddings.create(given.model or _SKYTELLS_MODEL, given.texts, dimensions=given.dimensions)


EMBED: Service[EmbedArguments, Awaitable[Embeddings]] = Service(
    name="embed",
    arguments=EmbedArguments,
    result=Embeddings,
    routes=(
        Route(
            provider="skytells",
            call=_call_skytells,
            accepts=("texts", "model", "dimensions"),
            defaults={"model": _SKYTELLS_MODEL},
        ),
    ),
)


class Embed(RoutedService):
    """The embedding service of `KellyAPI`.

    Source: https://github.com/Skytells/ts-sdk (src/embeddings.ts)
    """

    async def embed(
        self,
        texts: NotBlank | Iterable[NotBlank],
        *,
        model: NotBlank | None = None,
        dimensions: Count | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Embeddings:
        """Turn texts into vectors, for searching and comparing them.

        Args:
            texts: One text, or several, which are sent in one request.
            model: An embedding model of the provider; by default "text-embedding-3-small" of Skytells.
            dimensions: The length of each vector, if the model can vary it.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Returns:
            One vector per text, in the same order.

        Raises:
            ValueError: There is no text, or one is blank.
            DecodingError: There are more or fewer vectors than texts. `partial` is the embeddings.

        Example::

            found = await api.embed(["a red fox", "a grey wolf"])
            print(len(found.vectors), len(found.vectors[0]))
            await found.save("animals.npy")
        """
        several = (texts,) if isinstance(texts, str) else tuple(texts)
        if not several:
            raise ValueError("texts is empty")
        arguments = EmbedArguments(texts=several, model=model, dimensions=dimensions)
        return await self._route(EMBED, arguments, provider, fallback)
