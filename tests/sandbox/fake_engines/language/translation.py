"""The real translation engine, which needs no package."""

from kellyapi.sandbox.engines.language.translation import installed as installed
from kellyapi.sandbox.engines.language.translation import translate as translate
