"""`kellyapi chat`: send a prompt to a language model, or talk with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Send a prompt to a language model, or talk with it"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox chat "Who are you?"',
    'kellyapi --sandbox chat "What is 6 * 7?" --system "Be brief." --max-tokens 50',
    "kellyapi --sandbox chat < question.txt",
    "kellyapi --sandbox chat  # a conversation, until /exit or Ctrl-D",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the prompt and its options."""
    parser.add_argument(
        "text",
        nargs="?",
        metavar="PROMPT",
        help="the message, or - for standard input. Without it, a terminal starts a conversation, in which Ctrl-C "
        "stops a reply; otherwise standard input is the message",
    )
    parser.add_argument("--model", metavar="NAME", help="one of the provider's models")
    parser.add_argument("--system", metavar="TEXT", help="instructions to the model, before the first message")
    parser.add_argument("--temperature", type=float, metavar="NUMBER", help="how random the reply is, from 0 to 2")
    parser.add_argument("--max-tokens", type=int, metavar="COUNT", help="the maximum length of a reply, in tokens")
    parser.add_argument("--character", metavar="NAME", help="one of the characters of Kelly AI")


def run(arguments: Namespace, output: Output) -> None:
    """Print the reply while it arrives, or write it to a file, or hold a conversation."""
    from ..conversation import ChatOptions, hold_conversation, send_prompt
    from ..inputs import read_text
    from ..output_files import STANDARD_STREAM, check_output_file
    from ..service_call import call_service

    options = ChatOptions.read(arguments)
    if arguments.text is None and sys.stdin.isatty():
        if arguments.output is not None:
            raise ValueError("-o needs a PROMPT: a conversation is not written to a file")
        hold_conversation(arguments, output, options)
        return
    check_output_file(arguments)
    prompt = read_text(STANDARD_STREAM if arguments.text is None else arguments.text)
    if arguments.json or arguments.output not in (None, STANDARD_STREAM):
        call_service(arguments, output, lambda api: api.chat(options.begin(prompt), **options.named))
    else:
        send_prompt(arguments, output, options, prompt)
