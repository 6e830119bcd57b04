"""Settings of Sphinx: `sphinx-build -W docs docs/_build`."""

from kellyapi import __version__

project = "kellyapi"
copyright = "the kellyapi contributors"
version = release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"kellyapi {__version__}"
