"""Settings of Sphinx: `sphinx-build -W docs docs/_build`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from kellyapi import __version__

project = "kellyapi"
copyright = "the kellyapi contributors"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_llm_friendly",
    "kellyapi_docs",
]
exclude_patterns = ["_build", "_ext"]

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "PROVIDER, share"}
default_role = "name"  # docstrings put code between single backticks
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
add_module_names = False

llm_friendly_llms_txt_toctree_only = True

html_theme = "furo"
html_title = f"kellyapi {__version__}"
html_static_path = ["_static"]
html_css_files = ["kellyapi.css"]
html_js_files = ["search-status.js"]
