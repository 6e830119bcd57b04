"""A program for kellyapi 0.0.2.5: `old_names.py URL KEY CALLS` runs the calls in order.

It prints each result as a line of JSON. `CALLS` is JSON: `[[method, [arguments]], …]`.
"""

import asyncio
import base64
import json
import sys

import kellyapi
from kellyapi import KellyAPI, errors

OLD_ERRORS = (
    "BaseError",
    "ConnectionError",
    "GenericApiError",
    "InvalidApiKey",
    "InvalidContent",
    "InvalidRequest",
    "TimeoutError",
)


async def main(url: str, key: str, calls: str) -> None:
    for method, arguments in json.loads(calls):
        api = KellyAPI(key, url)
        try:
            value = await getattr(api, method)(*arguments)
            outcome = {"value": {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value}
        except Exception as error:  # broad: the class of any error is reported
            caught = [name for name in OLD_ERRORS if isinstance(error, getattr(errors, name))]
            outcome = {"caught": caught, "error": type(error).__name__}
        print(json.dumps({"version": kellyapi.__version__, **outcome}))


asyncio.run(main(*sys.argv[1:]))
