"""`kellyapi chat`: replies that are printed while they arrive, and conversations."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Script, Server, cut, make_response, pausing

from kellyapi import PROVIDERS, run_sync

from .command import Run, type_in
from .predictions.terminal import Terminal

Model = Callable[..., Server]


def said(*texts: str) -> bytes:
    """Return a streamed reply."""
    return _streamed(*texts, end=b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n')


def begun(*texts: str) -> bytes:
    """Return the beginning of a streamed reply."""
    return _streamed(*texts, end=b"x" * 50)[:-50]


def _streamed(*texts: str, end: bytes) -> bytes:
    chunks = [{"model": "m", "choices": [{"delta": {"content": text}}]} for text in texts]
    body = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    return make_response(body=body + end, kind="text/event-stream")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """Start a server that replies as a provider, which is the only one that has a key."""
    servers = []
    for each in PROVIDERS.values():
        monkeypatch.delenv(f"{each.PROVIDER.variables}_API_KEY", raising=False)

    def start(*scripts: Script, provider: str = "aerostack") -> Server:
        server = Server(*scripts)
        servers.append(server)
        run_sync(server.__aenter__())
        variables = PROVIDERS[provider].PROVIDER.variables
        monkeypatch.setenv(f"{variables}_BASE_URL", server.url)
        monkeypatch.setenv(f"{variables}_API_KEY", "key")
        return server

    yield start
    for server in servers:
        run_sync(server.__aexit__(None, None, None))


@pytest.fixture
def converse(monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Run the command with lines that are typed at a terminal; the other streams are no terminal."""

    def converse(*words: str) -> tuple[int, str, str]:
        *words, typed = words
        stdin = io.TextIOWrapper(io.BytesIO(typed.encode()))
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        return run("chat", *words)

    return converse


def sent(server: Server) -> list[Any]:
    """Return the messages of each request."""
    return [
        [(each["role"], each["content"]) for each in json.loads(request.body)["messages"]]
        for request in server.requests
    ]


def test_a_reply_is_streamed_and_ends_with_a_line_end(model: Model, run: Run) -> None:
    server = model(said("I am ", "a model", "."))
    words = ["--model", "m", "--system", "Be brief.", "--temperature", "0.5", "--max-tokens", "9"]
    assert run("chat", "Who are you?", *words) == (0, "I am a model.\n", "")
    body = json.loads(server.requests[0].body)
    assert sent(server) == [[("system", "Be brief."), ("user", "Who are you?")]]
    assert (body["model"], body["temperature"], body["max_tokens"], body["stream"]) == ("m", 0.5, 9, True)
    assert run("chat", "Hi", "-o", "-")[1] == "I am a model.\n"


def test_without_a_prompt_standard_input_is_the_prompt(model: Model, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server = model(said("Yes."))
    type_in(monkeypatch, b"Is this\none prompt?\n")
    assert run("chat") == (0, "Yes.\n", "")
    assert sent(server) == [[("user", "Is this\none prompt?")]]


def test_json_and_files_have_the_whole_reply(model: Model, run: Run) -> None:
    whole = make_response(body=b'{"choices": [{"message": {"content": "Yes."}}]}')
    server = model(whole)
    code, out, _ = run("chat", "Hi", "--json", "--max-tokens", "9")
    assert (code, json.loads(out)["text"], json.loads(out)["provider"]) == (0, "Yes.", "aerostack")
    assert run("chat", "Hi", "-o", "reply.txt")[:2] == (0, "reply.txt\n")
    assert Path("reply.txt").read_text("utf-8") == "Yes.\n"
    assert ["stream" in json.loads(request.body) for request in server.requests] == [False, False]


def test_a_reply_that_breaks_off_is_shown_as_far_as_it_came(model: Model, run: Run) -> None:
    model(cut(begun("I am ")))
    code, out, err = run("chat", "Who are you?")
    assert (code, out) == (1, "I am \n")
    assert err.startswith("error: aerostack: ")
    assert err.endswith("; the call may have been carried out and billed\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--temperature", "-1"], "temperature must be at least 0"),
        (["--temperature", "hot"], "argument --temperature: invalid float value"),
        (["--max-tokens", "0"], "max_tokens must be at least 1"),
        (["--character", "Ama", "--provider", "aerostack"], "aerostack has no character"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(
    model: Model, run: Run, converse: Run, words: list[str], problem: str
) -> None:
    server = model(said("No."))
    for code, out, err in (run("chat", "Hi", *words), converse(*words, "Hi\n")):
        assert (code, out) == (2, "")
        assert problem in err
    assert server.requests == []


# Conversations


def test_a_conversation_keeps_its_messages(model: Model, converse: Run) -> None:
    server = model(said("I am ", "a model."), said("Yes."))
    code, out, err = converse("--system", "Be brief.", "Who are you?\n \nReally?\n/exit\nNo more\n")
    assert (code, out) == (0, "I am a model.\nYes.\n")
    assert err == "> " * 4
    first = [("system", "Be brief."), ("user", "Who are you?")]
    assert sent(server) == [first, [*first, ("assistant", "I am a model."), ("user", "Really?")]]


def test_an_error_does_not_end_a_conversation_and_its_message_is_not_kept(model: Model, converse: Run) -> None:
    server = model(
        make_response(400, b'{"error": {"code": "VALIDATION_ERROR", "message": "too long"}}'),
        cut(begun("I ")),
        said("Here."),
        said("Yes."),
    )
    code, out, err = converse("One\nTwo\nThree\nFour\n")
    assert (code, out) == (0, "I \nHere.\nYes.\n")
    assert "error: aerostack: too long" in err
    assert sent(server)[2:] == [
        [("user", "Three")],
        [("user", "Three"), ("assistant", "Here."), ("user", "Four")],
    ]


def test_a_conversation_in_json_has_a_line_for_each_reply(model: Model, converse: Run) -> None:
    model(said("One."), make_response(402), said("Two."))
    code, out, err = converse("--json", "a\nb\nc\n")
    assert (code, [json.loads(line)["text"] for line in out.splitlines()]) == (0, ["One.", "Two."])
    assert '"PaymentRequiredError"' in err


def test_a_conversation_stays_with_a_provider_that_takes_one(model: Model, converse: Run) -> None:
    kelly = model(make_response(body=b'{"message": "Kelly"}'), provider="kelly")
    skytells = model(said("Skytells"), provider="skytells")
    assert converse("a\nb\n")[:2] == (0, "Skytells\nSkytells\n")
    assert (len(kelly.requests), len(skytells.requests)) == (0, 2)


def test_kelly_gets_each_message_alone(model: Model, converse: Run) -> None:
    kelly = model(make_response(body=b'{"message": "Kelly"}'), provider="kelly")
    code, out, err = converse("a\nb\n")
    assert (code, out) == (0, "Kelly\nKelly\n")
    assert err.startswith("Kelly AI takes single messages")
    assert [json.loads(request.body)["prompt"] for request in kelly.requests] == ["a", "b"]


def test_a_conversation_without_a_key_or_into_a_file_does_not_begin(model: Model, converse: Run) -> None:
    code, out, err = converse("a\n")
    assert (code, out) == (2, "")
    assert "set KELLYAI_API_KEY or AEROSTACK_API_KEY or SKYTELLS_API_KEY, or use --sandbox" in err
    code, out, err = converse("-o", "reply.txt", "a\n")
    assert (code, out, err) == (2, "", "error: -o needs a PROMPT: a conversation is not written to a file\n")


def test_a_conversation_with_a_sandbox(converse: Run) -> None:
    code, out, _ = converse("--sandbox", "What is 2 + 3?\nWhat is 6 * 7?\n")
    assert (code, out) == (0, "[sandbox] 2 + 3 = 5\n[sandbox] 6 * 7 = 42\n")


def test_ctrl_c_at_the_prompt_says_how_the_conversation_ends(
    model: Model, monkeypatch: pytest.MonkeyPatch, converse: Run
) -> None:
    model(said("Yes."))
    lines = iter([KeyboardInterrupt, "Really?", KeyboardInterrupt, EOFError])

    def read(prompt: str = "") -> str:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", read)
    code, out, err = converse("")
    assert (code, out, err.count("(/exit or Ctrl-D ends the conversation)")) == (0, "Yes.\n", 2)


def test_ctrl_c_on_a_terminal_stops_the_reply_and_the_conversation_continues(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    server = model(pausing(begun("I am ", "a mo")), said("Yes."))
    terminal = Terminal("chat")
    try:
        terminal.until("> ")
        terminal.type("Who are you?\n")
        terminal.until("I am a mo")
        terminal.interrupt()
        terminal.until("I am a mo\r?\n.*> ")
        terminal.type("Really?\n")
        terminal.until(r"Yes\.\r?\n.*m · aerostack.*\n.*> ")
        terminal.type("/exit\n")
        assert terminal.end() == 0
    finally:
        terminal.close()
    talk = [(each["role"], each["content"]) for each in json.loads(server.requests[1].body)["messages"]]
    assert talk == [("user", "Who are you?"), ("assistant", "I am a mo"), ("user", "Really?")]


@pytest.mark.parametrize("shown", ["> ", "I am a mo"])
def test_sigterm_ends_a_conversation(shown: str, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    model(pausing(begun("I am ", "a mo")))
    terminal = Terminal("chat")
    try:
        terminal.until("> ")
        if shown != "> ":
            terminal.type("Who are you?\n")
            terminal.until(shown)
        terminal.interrupt(signal.SIGTERM)
        assert terminal.end() == 143
    finally:
        terminal.close()
