"""aiogram without the five seconds of its import in which pydantic builds all of its models.

pydantic builds a model at the latest when it is used. So the calls in aiogram's import only note the names that the
models need.
"""

from __future__ import annotations

import sys
from typing import Any


def import_aiogram() -> None:
    """Import aiogram so that its models are built when they are used."""
    if "aiogram" in sys.modules:
        return
    from pydantic import BaseModel

    build = BaseModel.model_rebuild.__func__  # type: ignore[attr-defined]  # the function of a class method
    names: dict[str, Any] = {}

    def note_names(cls: type[BaseModel], *, _types_namespace: dict[str, Any]) -> None:
        names.update(_types_namespace)

    def build_now(cls: type[BaseModel], *, _types_namespace: dict[str, Any] | None = None, **options: Any) -> Any:
        return build(cls, _types_namespace=_types_namespace or names, **options)

    BaseModel.model_rebuild = classmethod(note_names)
    from aiogram.client.context_controller import BotContextController
    from aiogram.methods.base import Response

    BaseModel.model_rebuild = classmethod(build)
    for base in (BotContextController, Response):  # of all models
        base.model_rebuild = classmethod(build_now)
