"""What the reference pages take from the code, so that they cannot differ from it.

`resource` documents a group of operations under the name that users write, such as `Skytells.predictions.create`.
`command-help` shows the output of `kellyapi … --help`. A public name or an operation that no page documents is a
warning, and so an error of the build.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plain_types  # noqa: F401  before any other module imports the library
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.inspect import getdoc, signature, stringify_signature

import kellyapi
from kellyapi.cli.main import main

log = logging.getLogger(__name__)


class Name(SphinxRole):
    """What stands in single backticks in a docstring: a link if it names something, else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        code = nodes.literal(self.text, self.text, classes=["py", "py-obj"])
        if not re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", self.text):
            return [code], []
        target = self.text.removesuffix("()")
        link = pending_xref(
            "", code, refdomain="py", reftype="obj", reftarget=target, refexplicit=False
        )
        link["py:module"], link["py:class"] = (
            "kellyapi",
            self.env.ref_context.get("py:class"),
        )
        link["refdoc"], link["refwarn"] = self.env.docname, False
        return [link], []


NAPOLEON = Config(napoleon_use_rtype=False)


def to_rst(lines: list[str]) -> list[str]:
    """Turn a docstring into reStructuredText: the sections of Google's style, and code between single backticks.

    Each `code` gets its role, so that letters may follow it, as in `Rate`s.
    """
    text = re.sub(r"(?<![`:])`([^`]+)`(?!`)(\w?)", _with_role, "\n".join(lines))
    return GoogleDocstring(text, NAPOLEON, what="method").lines()


def _with_role(found: re.Match[str]) -> str:
    code = " ".join(found[1].split()).replace("\\", "\\\\")
    return f":name:`{code}`" + (f"\\ {found[2]}" if found[2] else "")


def process_docstring(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = to_rst(lines)


def hide_signature(
    app: Sphinx, what: str, name: str, value: Any, *rest: object
) -> tuple[str, None] | None:
    """Show no constructor of results, streams and errors, which users do not create."""
    streams = (kellyapi.ByteStream, kellyapi.JSONEventStream)
    ours = (kellyapi.Result, kellyapi.KellyAPIError, kellyapi.ManyResults, *streams)
    return ("", None) if inspect.isclass(value) and issubclass(value, ours) else None


def operations(resource: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a group of operations, in the order of the source."""
    for kind in reversed(resource.__mro__):
        if kind.__module__.startswith("kellyapi.providers."):
            for name, member in vars(kind).items():
                if inspect.isfunction(member) and not name.startswith("_"):
                    yield name, getattr(resource, name)


def resources(client: type) -> Iterator[tuple[str, type]]:
    """Yield the groups of operations of a provider's client."""
    for name, member in vars(client).items():
        if isinstance(member, property) and not name.startswith("_"):
            kind = typing.get_type_hints(member.fget).get("return")
            if inspect.isclass(kind) and any(operations(kind)):
                yield name, kind


class ResourceDirective(SphinxDirective):
    """`.. resource:: Skytells.predictions`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        client, _, name = self.arguments[0].partition(".")
        resource = dict(resources(getattr(kellyapi, client)))[name]
        lines = [".. py:currentmodule:: kellyapi", ""]
        for operation, function in operations(resource):
            shown = stringify_signature(
                signature(function, bound_method=True), unqualified_typehints=True
            )
            lines += [f".. py:method:: {client}.{name}.{operation}{shown}"]
            lines += ["   :async:"] if inspect.iscoroutinefunction(function) else []
            lines += [
                "",
                *(
                    f"   {line}"
                    for line in to_rst(
                        inspect.cleandoc(getdoc(function) or "").splitlines()
                    )
                ),
                "",
            ]
        inside = nodes.container()
        self.state.nested_parse(
            StringList(lines, self.arguments[0]), self.content_offset, inside
        )
        return inside.children


def help_of(command: str) -> str:
    """Return what `kellyapi COMMAND --help` prints on a terminal of 80 columns."""
    printed, width = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*command.split(), "--help"])
    finally:
        if width is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = width
    return printed.getvalue()


class CommandHelp(SphinxDirective):
    """`command-help` with the words after `kellyapi`, or without any for the command itself."""

    optional_arguments = 9

    def run(self) -> list[nodes.Node]:
        text = help_of(" ".join(self.arguments))
        block = nodes.literal_block(text, text, language="text")
        return [block]


EXAMPLES = {
    "telegram_bot.py": "#telegram-bot",
    "discord_bot.py": "#discord-bot",
    "aiohttp_server.py": "#aiohttp-server",
    "translate_csv.py": "#translate-a-csv-file",
    "openai_compatible.py": "#a-provider-with-openais-api",
    "apertium.py": "#apertium-as-a-provider",
    "explain.py": "#what-the-bots-and-the-server-say",
    "../docs/sandbox.md": "sandbox.md",
}
"""Where the links of `examples/README.md` lead on the site."""


def move_links(app: Sphinx, path: Path, docname: str, content: list[str]) -> None:
    """Let the links of an included page lead to pages of the site."""
    for target, place in EXAMPLES.items():
        content[0] = content[0].replace(f"]({target})", f"]({place})")


def drop_comments(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out HTML comments: the hidden blocks that only the tests of a page run."""
    for comment in list(doctree.findall(nodes.raw)):
        if comment.astext().startswith("<!--"):
            comment.parent.remove(comment)


def missing_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names and operations that no page documents."""
    wanted = {f"kellyapi.{name}" for name in kellyapi.__all__}
    for client in {
        kind.__name__: kind for kind in kellyapi.PROVIDERS.values()
    }.values():
        for name, resource in resources(client):
            wanted |= {
                f"kellyapi.{client.__name__}.{name}.{each}"
                for each, _ in operations(resource)
            }
    for name in sorted(wanted - env.domains["py"].objects.keys()):  # type: ignore[attr-defined]  # of the Python domain
        log.warning("no page documents %s", name)


class PlainType(SphinxPostTransform):
    """Show `type` in signatures as text: many fields have this name, and none of them is meant."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        for link in list(self.document.findall(pending_xref)):
            if (link.get("reftype"), link.get("reftarget")) == ("class", "type"):
                link.replace_self(nodes.Text("type"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(PlainType)
    app.add_role("name", Name())
    app.add_directive("resource", ResourceDirective)
    app.add_directive("command-help", CommandHelp)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("include-read", move_links)
    app.connect("doctree-read", drop_comments)
    app.connect("env-check-consistency", missing_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
