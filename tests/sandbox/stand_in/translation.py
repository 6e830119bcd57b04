"""The real thing, which needs no package."""

from kellyapi.sandbox.engines.translation import installed as installed
from kellyapi.sandbox.engines.translation import translate as translate
