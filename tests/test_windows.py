"""The library is imported and used without the modules that Windows lacks."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, signal, sys

MODULES = ["fcntl", "grp", "pwd", "pty", "resource", "termios"]
sys.modules |= dict.fromkeys(MODULES)  # an import of them fails
for module, names in {
    os: ["fork", "register_at_fork", "mkfifo", "O_NOFOLLOW", "fchmod", "geteuid", "getuid"],
    signal: ["SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "pthread_sigmask"],
}.items():
    for name in names:
        delattr(module, name)

from importlib import import_module
from pkgutil import walk_packages
import kellyapi

for module in walk_packages(kellyapi.__path__, "kellyapi."):
    if not module.name.endswith("__main__"):
        try:
            import_module(module.name)
        except Exception as error:
            cause = error.__cause__ or error  # an engine names the extra instead
            if not isinstance(cause, ModuleNotFoundError) or cause.name in MODULES:
                raise

async def translate():
    async with kellyapi.KellyAPI.sandbox() as api:
        return (await api.translate("Good morning", "en-tw")).provider

print(kellyapi.run_sync(translate()))
"""


def test_the_library_and_its_sandbox_work_without_what_windows_lacks() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "khaya\n", "")
