"""The sandbox's engines, with fakes for the engines whose packages the `test` extra does not install."""

import sys

from fake_engines import voice
from fake_engines.language import translation
from fake_engines.voice import recognition, synthesis

from kellyapi.sandbox.engines import language, pictures
from kellyapi.sandbox.engines.language import chat_rules
from kellyapi.sandbox.engines.pictures import code_image, handwriting, image_operations

for group, engines in {
    language: (chat_rules, translation),
    pictures: (image_operations, handwriting, code_image),
    voice: (recognition, synthesis),
}.items():
    package = f"{__name__}.{group.__name__.rpartition('.')[2]}"
    sys.modules[package] = group
    for engine in engines:
        sys.modules[f"{package}.{engine.__name__.rpartition('.')[2]}"] = engine
