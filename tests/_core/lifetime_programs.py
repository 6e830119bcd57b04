"""The beginning of the programs that are run to their end."""

from __future__ import annotations

IMPORTS = """
import asyncio, gc, os, sys, threading
import aiohttp
from kellyapi import Aerostack, ConfigurationError, Kelly, KellyAPI, Khaya, RetryPolicy, Skytells, run_sync
"""
HEAD = f"""
{IMPORTS}
url = sys.argv[1]
def khaya(**options):
    return Khaya("a-key", base_url=url, **options)
"""
