"""The site: ``sphinx-build -W -b html docs DIR``."""

import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent

project = "synflow_jax"
author = "the synflow_jax developers"
copyright = author  # noqa: A001
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # The notebooks hold their results, and the tests run them.
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
default_role = "code"

html_theme = "sphinx_book_theme"
html_title = f"synflow_jax {release}"
html_theme_options = {"show_toc_level": 2, "home_page_in_toc": True, "navbar_persistent": []}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

# Notebooks are beside the experiments; pages must be in this folder.
shutil.copytree(ROOT / "experiments" / "notebooks", HERE / "notebooks", dirs_exist_ok=True)
