"""Every operation of the four providers in one table: what it is, where it goes, and whether sending it twice is free.

The table is compared with the calls in the sources of the providers. So a new operation or a change of
`repeatable` needs a change here too: a wrong value bills users twice, or fails where a retry would help.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from pathlib import Path

import pytest

import kellyapi
from kellyapi._core.resource import Resource

PROVIDERS = Path(kellyapi.__file__).parent / "providers"
VERBS = {
    "_fetch": "GET",
    "_download": "GET",
    "_save_link": "GET",
    "_write_link": "GET",
    "_delete": "DELETE",
    "_post_json": "POST",
    "_post_form": "POST",
    "_post_bytes": "POST",
    "_stream": "POST",
    "_stream_events": "POST",
    "_draw": "POST",
}
FREE = {"GET", "DELETE"}
"""Methods that are always repeatable, because the protocol says that they change nothing."""

AGAIN, ONCE = "again", "once"
Operation = tuple[str, str, str, str, str]
TABLE: list[Operation] = [
    ("aerostack", "AI.chat", "POST", "/ai/chat", ONCE),
    ("aerostack", "AI.chat_stream", "POST", "/ai/chat", ONCE),
    ("aerostack", "Auth.sign_in", "POST", "/auth/signin", AGAIN),
    ("aerostack", "Auth.sign_up", "POST", "/auth/signup", ONCE),
    ("aerostack", "Cache.delete", "POST", "/cache/delete", AGAIN),
    ("aerostack", "Cache.delete_many", "POST", "/cache/deleteMany", AGAIN),
    ("aerostack", "Cache.expire", "POST", "/cache/expire", AGAIN),
    ("aerostack", "Cache.flush", "POST", "/cache/flush", ONCE),
    ("aerostack", "Cache.get", "POST", "/cache/get", AGAIN),
    ("aerostack", "Cache.get_many", "POST", "/cache/getMany", AGAIN),
    ("aerostack", "Cache.increment", "POST", "/cache/increment", ONCE),
    ("aerostack", "Cache.keys", "POST", "/cache/keys", AGAIN),
    ("aerostack", "Cache.list", "POST", "/cache/list", AGAIN),
    ("aerostack", "Cache.set", "POST", "/cache/set", AGAIN),
    ("aerostack", "Cache.set_many", "POST", "/cache/setMany", AGAIN),
    ("aerostack", "Database.batch", "POST", "/db/batch", ONCE),
    ("aerostack", "Database.query", "POST", "/db/query", ONCE),
    ("aerostack", "Gateway.chat", "POST", "{paths.chat}", ONCE),
    ("aerostack", "Gateway.chat_stream", "POST", "{_IN_SPECIFICATION.chat}", ONCE),
    ("aerostack", "Gateway.log_usage", "POST", "/gateway/billing/log", ONCE),
    ("aerostack", "Gateway.usage", "GET", "/api/gateway/me/usage", AGAIN),
    ("aerostack", "Gateway.wallet", "GET", "{paths.wallet}", AGAIN),
    ("aerostack", "Queue.cancel", "POST", "/queue/cancel", AGAIN),
    ("aerostack", "Queue.enqueue", "POST", "/queue/enqueue", ONCE),
    ("aerostack", "Queue.job", "POST", "/queue/job", AGAIN),
    ("aerostack", "Queue.jobs", "POST", "/queue/jobs", AGAIN),
    ("aerostack", "Search.configure", "POST", "/ai/search/configure", AGAIN),
    ("aerostack", "Search.count", "POST", "/ai/search/count", AGAIN),
    ("aerostack", "Search.delete", "POST", "/ai/search/delete", AGAIN),
    ("aerostack", "Search.delete_type", "POST", "/ai/search/deleteByType", AGAIN),
    ("aerostack", "Search.get", "POST", "/ai/search/get", AGAIN),
    ("aerostack", "Search.ingest", "POST", "/ai/search/ingest", ONCE),
    ("aerostack", "Search.query", "POST", "/ai/search/query", ONCE),
    ("aerostack", "Search.types", "GET", "/ai/search/listTypes", AGAIN),
    ("aerostack", "Search.update", "POST", "/ai/search/update", ONCE),
    ("aerostack", "FunctionsResource.invoke", "POST", "/services/invoke", ONCE),
    ("aerostack", "Storage.copy", "POST", "/storage/copy", AGAIN),
    ("aerostack", "Storage.delete", "POST", "/storage/delete", AGAIN),
    ("aerostack", "Storage.download", "POST", "/storage/get", AGAIN),
    ("aerostack", "Storage.download", "POST", "/storage/get", AGAIN),
    ("aerostack", "Storage.exists", "POST", "/storage/exists", AGAIN),
    ("aerostack", "Storage.list", "POST", "/storage/list", AGAIN),
    ("aerostack", "Storage.metadata", "POST", "/storage/getMetadata", AGAIN),
    ("aerostack", "Storage.move", "POST", "/storage/move", ONCE),
    ("aerostack", "Storage.upload", "POST", "/storage/upload", AGAIN),
    ("aerostack", "Storage.url", "POST", "/storage/getUrl", AGAIN),
    ("kelly", "Kelly.chat", "POST", "/chat/{}", ONCE),
    ("kelly", "Kelly.describe_image", "POST", "/image/description", ONCE),
    ("kelly", "Kelly._edit", "POST", "/image/edit", ONCE),
    ("kelly", "Kelly.generate_image", "POST", "/image/generate", ONCE),
    ("kelly", "Kelly.models", "GET", "/{kind}/models", AGAIN),
    ("kelly", "Kelly.remove_background", "POST", "/image/removebg", ONCE),
    ("kelly", "Kelly.render_code", "POST", "/write/code", ONCE),
    ("kelly", "Kelly.synthesize", "POST", "/voice/generation", ONCE),
    ("kelly", "Kelly.transcribe", "POST", "/voice/transcribe", ONCE),
    ("kelly", "Kelly.upscale_image", "POST", "/image/upscale", ONCE),
    ("kelly", "Kelly.write_notes", "POST", "/write/notes", ONCE),
    ("khaya", "Khaya.languages", "GET", "{path.format(**self._versions)}", AGAIN),
    ("khaya", "Khaya.synthesize", "POST", "{self._path('tts') if format is None else _ROUTES['tts']['v2']}", ONCE),
    ("khaya", "Khaya.synthesize_stream", "POST", "{_ROUTES['tts']['v2']}", ONCE),
    ("khaya", "Khaya.transcribe", "POST", "{self._path('asr')}", ONCE),
    ("khaya", "Khaya.translate", "POST", "{self._path('translation')}", ONCE),
    ("khaya", "Khaya.voices", "GET", "/tts/{self._versions['tts']}/speakers", AGAIN),
    ("skytells", "ChatResource.create", "POST", "/chat/completions", ONCE),
    ("skytells", "ChatResource.stream", "POST", "/chat/completions", ONCE),
    ("skytells", "EmbeddingsResource.create", "POST", "/embeddings", ONCE),
    ("skytells", "ModelsResource.get", "GET", "/model/{}", AGAIN),
    ("skytells", "ModelsResource.get", "GET", "/models/{}", AGAIN),
    ("skytells", "ModelsResource.list", "GET", "/models", AGAIN),
    ("skytells", "PredictionsResource._create", "POST", "/predict", ONCE),
    ("skytells", "PredictionsResource.cancel", "POST", "/predictions/{}/cancel", AGAIN),
    ("skytells", "PredictionsResource.delete", "DELETE", "/predictions/{}", AGAIN),
    ("skytells", "PredictionsResource.delete", "DELETE", "/predictions/{}/delete", AGAIN),
    ("skytells", "PredictionsResource._get", "GET", "/predictions/{}", AGAIN),
    ("skytells", "PredictionsResource.list", "GET", "/predictions", AGAIN),
    ("skytells", "PredictionsResource.stream_info", "GET", "/predictions/{}/stream", AGAIN),
    ("skytells", "ResponsesResource.create", "POST", "/responses", ONCE),
    ("skytells", "ResponsesResource.stream", "POST", "/responses", ONCE),
    ("skytells", "SafetyResource._check", "POST", "/chat/completions", ONCE),
    ("skytells", "PredictionsResource._save_output", "GET", "{url}", AGAIN),
    ("skytells", "PredictionsResource._write_output", "GET", "{url}", AGAIN),
    ("skytells", "Skytells.download", "GET", "{url}", AGAIN),
    ("skytells", "Skytells.download", "GET", "{url}", AGAIN),
    ("skytells", "GenerationResource._download_output", "GET", "{url}", AGAIN),
]
"""Provider, function, method, path, and whether the call is retried after a failure that may have done its work."""


@cache
def operations() -> list[Operation]:
    """Read (provider, function, method, path, repeatable) of each call from the sources."""
    found = []
    for file in sorted(PROVIDERS.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        provider = file.relative_to(PROVIDERS).parts[0].removesuffix(".py")
        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for function in cls.body:
                for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                    verb = call.func.attr if isinstance(call.func, ast.Attribute) else ""
                    if verb not in VERBS or getattr(function, "name", "") in VERBS:
                        continue
                    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
                    words = {word.arg: ast.unparse(word.value) for word in call.keywords}
                    said = words.get("repeatable", "False")
                    repeatable = AGAIN if VERBS[verb] in FREE else {"True": AGAIN, "False": ONCE}.get(said, said)
                    where = f"{cls.name}.{function.name}"
                    found.append((provider, where, VERBS[verb], path(call.args[0], function, tree), repeatable))
    return found


def path(node: ast.expr, function: ast.AST, tree: ast.Module) -> str:
    """Return a path with `{}` for each id, and `{name}` for values that only the running program knows."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(path(part, function, tree) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return path(node.value, function, tree)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        named = next((one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == node.func.id), None)
        if named is None:  # a function of another module, such as `encode_path`, encodes its argument
            return path(node.args[0], function, tree)
        (returned,) = [one.value for one in ast.walk(named) if isinstance(one, ast.Return) and one.value]
        return path(returned, named, tree)
    for one in ast.walk(function):
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == ast.unparse(node):
            return path(one.value, function, tree)
    return f"{{{ast.unparse(node)}}}"


def test_each_operation_is_in_the_table_with_whether_it_is_repeatable() -> None:
    found = sorted(operations())
    for provider, where, method, path, again in found:  # pytest -s shows it
        print(f"{provider:10}{where:28}{method:7}{again:16}{path}")
    assert found == sorted(TABLE)
    assert {one[0] for one in found} == {"kelly", "khaya", "skytells", "aerostack"}


@pytest.mark.parametrize("verb", ["_post_json", "_post_form", "_post_bytes", "_stream"])
def test_a_post_is_not_repeatable_by_default(verb: str) -> None:
    assert inspect.signature(getattr(Resource, verb)).parameters["repeatable"].default is False


@pytest.mark.parametrize("verb", ["_fetch", "_delete", "_download", "_save_link", "_write_link"])
def test_gets_deletes_and_downloads_are_repeatable(verb: str) -> None:
    asks = Resource._link_call if verb in ("_download", "_save_link", "_write_link") else getattr(Resource, verb)
    source = textwrap.dedent(inspect.getsource(asks))
    (words,) = [
        {word.arg: ast.unparse(word.value) for word in call.keywords}
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "make_call"
    ]
    assert (words["method"], words["repeatable"]) == (repr(VERBS[verb]), "True")


def test_billed_operations_are_not_repeatable() -> None:
    """Operations that cost money, by words that do not come from the code."""
    billed = (
        "chat",
        "/predict",
        "/responses",
        "/embeddings",
        "translate",
        "transcribe",
        "/image/",
        "/write/",
        "/voice/g",
    )
    found = [one for one in operations() if one[2] == "POST" and any(word in one[3] for word in billed)]
    found = [one for one in found if not one[3].endswith("/cancel")]
    assert len(found) > 15
    assert {one[4] for one in found} == {ONCE}
