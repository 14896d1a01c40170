"""Kernels that a build forks from one process see nothing of each other, and end as kernels of their own do."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

sys.path.append(str(Path(__file__).resolve().parents[1] / "_ext"))
import site_kernels  # noqa: E402

ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a build starts each kernel anew")
LOOK = """
import os, sys
seen, sys.seen_here = hasattr(sys, "seen_here"), True
print(os.getppid(), seen, "lrlib.schedules" in sys.modules, os.getcwd(), os.environ.get("ASKED"), sys.stdin.read())
print([folder for folder in sys.path if folder.endswith("_ext")], sys.argv[0])
"""


@pytest.fixture
def factory(monkeypatch):
    """Jupyter's, as it was; a build of three notebooks has kernels from a process that has imported schedules alone."""
    nursery = site_kernels.Nursery(["ipykernel.kernelapp", "lrlib.schedules"])
    monkeypatch.setattr(site_kernels, "NURSERY", nursery)
    made = KernelProvisionerFactory.instance()
    monkeypatch.setattr(made, "default_provisioner_name", "local-provisioner")
    monkeypatch.setattr(made, "provisioners", dict(made.provisioners))
    yield made
    nursery.close()


def reads(*pages):
    site_kernels.from_a_nursery(None, SimpleNamespace(doc2path=str), pages)


def printed(code, folder):
    """What a cell prints in a kernel of its own."""
    cells, kernel = [nbformat.v4.new_code_cell(code)], {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, coalesce_streams=True).execute()
    return "".join(output.text for output in notebook.cells[0].outputs)


@ONLY_LINUX
def test_forks_see_nothing_of_each_other(factory, tmp_path, monkeypatch):
    reads("a.ipynb", "b.ipynb", "c.ipynb", "d.md")
    for asked in ("first", "second"):
        monkeypatch.setenv("ASKED", asked)
        said = printed(LOOK, tmp_path).splitlines()
        assert said[0].split() == [str(site_kernels.NURSERY.process.pid), "False", "True", str(tmp_path), asked]
        assert said[1:] == ["[] ipykernel_launcher"]
    process = site_kernels.NURSERY.process
    site_kernels.NURSERY.close()
    assert process.returncode == 0


@ONLY_LINUX
def test_a_kernel_that_dies_fails_its_notebook_and_no_other(factory, tmp_path):
    reads("a.ipynb", "b.ipynb", "c.ipynb")
    with pytest.raises(DeadKernelError):
        printed("import os; os._exit(3)", tmp_path)
    assert printed("print('well')", tmp_path) == "well\n"


def test_few_notebooks_have_kernels_that_start_anew(factory, tmp_path):
    reads("a.ipynb", "b.ipynb", "c.md")
    assert printed("import os; print(os.getppid())", tmp_path) == f"{os.getpid()}\n"


def test_no_kernel_is_forked_where_tensorflow_has_threads(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(site_kernels, "names_of_threads", lambda: ["python\n", "tf_Compute\n"])
    with pytest.raises(RuntimeError, match="TensorFlow has begun to compute.*tf_Compute"):
        site_kernels.serve([])
