"""A program for kellyapi 0.0.2.5. Each line of its input is JSON: `[url, key, [[method, [arguments]], …]]`.

It makes the calls in order, and prints all their results as a line of JSON.
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


async def run(url: str, key: str, calls: list[tuple[str, list[object]]]) -> list[dict[str, object]]:
    outcomes = []
    for method, arguments in calls:
        api = KellyAPI(key, url)
        try:
            value = await getattr(api, method)(*arguments)
            outcome = {"value": {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value}
        except Exception as error:  # broad: the class of any error is reported
            caught = [name for name in OLD_ERRORS if isinstance(error, getattr(errors, name))]
            outcome = {"caught": caught, "error": type(error).__name__}
        outcomes.append({"version": kellyapi.__version__, **outcome})
    return outcomes


for line in sys.stdin:
    print(json.dumps(asyncio.run(run(*json.loads(line)))), flush=True)
