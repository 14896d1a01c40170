"""JupyterLab's settings for `make lab`: a chapter is saved as `make notebooks` writes it, whatever Python runs it."""

import sys
from pathlib import Path

import nbformat

sys.path.append(str(Path(__file__).parent))
from notebooks import normalised  # noqa: E402


def in_one_form(model, path, **_):
    if model["type"] == "notebook" and path.strip("/").startswith("chapters/"):
        model["content"] = nbformat.reads(normalised(nbformat.from_dict(model["content"])), as_version=4)


c = get_config()  # noqa: F821
c.FileContentsManager.pre_save_hook = in_one_form
c.LabApp.default_url = "/lab/tree/chapters"
