"""Chats of the command: one reply that is printed while it arrives, and conversations."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from contextlib import AsyncExitStack, suppress
from typing import Any

from attrs import define, field, frozen

from kellyapi import ChatReply, ChatStream, CompletionMessage, KellyAPI, KellyAPIError, Message

from .arguments import utf8
from .formatting import shell_remedy
from .output import Output
from .service_call import open_api
from .signals import Terminated

_EXIT = "/exit"
_REMEMBERING = ("aerostack", "skytells")
"""The providers that take conversations, in the order in which the library asks them."""


@frozen
class ChatOptions:
    """What the command line says about a chat."""

    system: str | None
    named: dict[str, Any]
    """The arguments of `chat`, without the messages."""

    @classmethod
    def read(cls, arguments: Namespace) -> ChatOptions:
        """Read the options of the command line; those that are not given are left out."""
        names = ("model", "temperature", "max_tokens", "character", "provider")
        given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
        return cls(None if arguments.system is None else utf8(arguments.system), given)

    def begin(self, prompt: str) -> str | list[Message | CompletionMessage]:
        """Return the first message, after the instructions if there are any."""
        return prompt if self.system is None else [Message("system", self.system), Message("user", prompt)]


def send_prompt(arguments: Namespace, output: Output, options: ChatOptions, prompt: str) -> None:
    """Send one prompt, and print the reply while it arrives."""

    async def send() -> None:
        async with open_api(arguments) as api:
            await Reply(output).receive(api, options.begin(prompt), options.named)

    asyncio.run(send())


@define
class Reply:
    """A reply that is printed while it arrives."""

    output: Output
    text: str = ""
    """What was printed."""

    async def receive(self, api: KellyAPI, messages: Any, named: dict[str, Any]) -> ChatReply:
        """Send messages, and print the reply."""
        stream: ChatStream = api.chat_stream(messages, **named)
        try:
            async with AsyncExitStack() as stack:
                with self.output.spinner("chat"):
                    await stack.enter_async_context(stream)
                    piece = await anext(stream, None)
                while piece is not None:
                    self.text += piece
                    self.output.reply_piece(piece)
                    piece = await anext(stream, None)
        except BaseException:
            if self.text:
                self.output.reply_stopped()
            raise
        self.output.reply_ended(stream.reply)
        return stream.reply


def hold_conversation(arguments: Namespace, output: Output, options: ChatOptions) -> None:
    """Read messages line by line, and print the replies, until `/exit` or the end of standard input.

    Lines are read outside the event loop, where Ctrl-C ends a read.
    """
    with suppress(ImportError):
        import readline  # noqa: F401  it lets `input` edit lines and repeat earlier ones
    with asyncio.Runner() as runner:
        context = open_api(arguments)
        api = runner.run(context.__aenter__())
        try:
            conversation = _Conversation.begin(api, output, options)
            while (line := _read_line()) is not None:
                if line.strip():
                    _answer(runner, conversation, line)
        finally:
            runner.run(context.__aexit__(None, None, None))


def _answer(runner: asyncio.Runner, conversation: _Conversation, line: str) -> None:
    """Print the reply to a line, or why there is none."""
    try:
        runner.run(conversation.send(utf8(line)))
    except Terminated:
        raise
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        raise
    except (KellyAPIError, ValueError, OSError) as error:
        if isinstance(error, KellyAPIError):
            error.remedy = shell_remedy(error)
        conversation.output.message_failed(error)


def _read_line() -> str | None:
    """Return the next line, or `None` at the end of the conversation. Ctrl-C starts a new line."""
    while True:
        try:
            if sys.stdout.isatty():
                line = input("> ")
            else:
                print("> ", end="", file=sys.stderr, flush=True)
                line = input()
        except Terminated:
            raise
        except KeyboardInterrupt:
            print(f"\n({_EXIT} or Ctrl-D ends the conversation)", file=sys.stderr)
        except EOFError:
            print(file=sys.stderr)
            return None
        else:
            return None if line.strip() == _EXIT else line


@define
class _Conversation:
    """A conversation, and the provider that answers it."""

    api: KellyAPI
    output: Output
    options: ChatOptions
    remembers: bool
    """Whether the provider takes earlier messages."""
    history: list[Message | CompletionMessage] = field(factory=list)

    @classmethod
    def begin(cls, api: KellyAPI, output: Output, options: ChatOptions) -> _Conversation:
        """Choose the provider: the first one that takes conversations and has a key. A message is sent to no other.

        Raises:
            ValueError: The provider does not take the options.
            ConfigurationError: There is no key.
        """
        named = dict(options.named)
        if "provider" not in named and "character" not in named:
            with_key = [name for name in _REMEMBERING if getattr(api, name).configured]
            if with_key:
                named["provider"] = with_key[0]
        only_kelly = named.get("provider", "kelly") == "kelly"
        api.chat_stream(options.begin("Hello"), **named)  # it is not entered: only the arguments and keys are checked
        if only_kelly:
            output.note("Kelly AI takes single messages: it does not know the earlier ones")
        return cls(api, output, ChatOptions(options.system, named), not only_kelly)

    async def send(self, text: str) -> None:
        """Print the reply to a message. Both are kept, also a reply that Ctrl-C stops; a message that fails is not."""
        new = [Message("user", text)]
        if not self.history and self.options.system is not None:
            new.insert(0, Message("system", self.options.system))
        reply = Reply(self.output)
        message: Message | CompletionMessage | None = None
        try:
            message = (await reply.receive(self.api, [*self.history, *new], self.options.named)).message
        except asyncio.CancelledError:
            message = Message("assistant", reply.text) if reply.text else None
            raise
        finally:
            if message is not None and self.remembers:
                self.history += [*new, message]
