"""The command as `python -m kellyapi`, for shells that do not find `kellyapi`."""

from kellyapi.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
