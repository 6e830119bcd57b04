"""`kellyapi doctor`: check a machine and its connection. `cli/doctor/` has the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from typing import Any

    from ..doctor.findings import Finding
    from ..output import ReportOutput

HELP = "Check this machine and its connection, and say what to change"
OPTIONS = ("json", "provider", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi doctor",
    "kellyapi --sandbox doctor --live",
)
_SECONDS = 10.0
"""How long a check may take by default."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options that call the providers."""
    parser.add_argument(
        "--live",
        action="store_true",
        help="also send the free calls to each provider that has a key, and compare the responses with what the "
        "library reads and the sandbox sends",
    )
    parser.add_argument(
        "--spend",
        action="store_true",
        help="like --live, and also send the smallest billed call of each service, after listing them and asking you",
    )
    parser.epilog = (
        "Each check takes at most 10 seconds, or --timeout SECONDS. The report has no key, no password and nothing "
        "that a provider stores for you, so you can attach it to an issue. The exit code is 1 if there is a problem."
        f"\n\n{parser.epilog}"
    )


def run(arguments: Namespace, output: ReportOutput) -> int:
    """Run the checks at the same time, show the findings, and return the exit code."""
    import asyncio

    from ..doctor.findings import count_problems
    from ..service_call import call_options, check_provider

    call_options(arguments)  # refuses a timeout of 0
    if arguments.provider is not None:
        check_provider(arguments.provider, "--provider")
    with output.spinner("doctor"):
        findings = asyncio.run(_check(arguments, spend=arguments.spend and _may_spend(arguments, output)))
    output.report(findings)
    return 1 if count_problems(findings) else 0


def _may_spend(arguments: Namespace, output: ReportOutput) -> bool:
    """Ask whether the billed calls may be sent. Those to a sandbox are free.

    The question comes before the event loop starts: inside the loop, Ctrl-C would not end it.
    """
    from kellyapi import KellyAPI

    from ..doctor.live import billed_calls

    if arguments.sandbox:
        return True
    calls = billed_calls(_clients(KellyAPI(), arguments))
    if not calls:
        return False
    output.note("These calls are billed:")
    for call in calls:
        output.note(f"  {call.provider} {call.name}: {call.units}")
    output.note("Send them? [y/N]")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _clients(api: Any, arguments: Namespace) -> dict[str, Any]:
    from kellyapi import PROVIDERS

    return {name: getattr(api, name) for name in PROVIDERS if arguments.provider in (None, name)}


async def _check(arguments: Namespace, *, spend: bool) -> list[Finding]:
    from kellyapi import KellyAPI

    from ..doctor.findings import merge_equal
    from ..doctor.run_checks import run_checks

    seconds = arguments.timeout or _SECONDS
    live = arguments.live or arguments.spend
    async with KellyAPI.sandbox() if arguments.sandbox else KellyAPI() as api:
        clients: Mapping[str, Any] = _clients(api, arguments)
        findings = await run_checks(clients, seconds, live=live, spend=spend, sandboxed=arguments.sandbox)
    return merge_equal(findings)
