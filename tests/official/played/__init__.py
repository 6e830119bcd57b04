"""The sandbox's engines, with stand-ins for those whose packages the tests' extra does not bring."""

import sys

from stand_in import recognition, speech, translation

from kellyapi.sandbox.engines import chat, images, writing

for engine in (chat, images, recognition, speech, translation, writing):
    sys.modules[f"{__name__}.{engine.__name__.rpartition('.')[2]}"] = engine
