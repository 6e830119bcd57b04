"""`kellyapi chat`: send a prompt to a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Send a prompt to a language model"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = ('kellyapi --sandbox chat "Who are you?"', "kellyapi --sandbox chat - --json < texts.txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the prompt, the model and the character."""
    parser.add_argument("text", metavar="PROMPT", help="the message, - for standard input")
    parser.add_argument("--model", metavar="NAME", help="one of the provider's models")
    parser.add_argument("--character", metavar="NAME", help="one of the characters of Kelly AI")


def run(arguments: Namespace, output: Output) -> None:
    """Print the reply, or write it to a file."""
    from ..output_files import check_output_file
    from ..service_call import call_service, read_text

    check_output_file(arguments)
    prompt = read_text(arguments.text)
    call_service(
        arguments,
        output,
        lambda api: api.chat(prompt, model=arguments.model, character=arguments.character, provider=arguments.provider),
    )
