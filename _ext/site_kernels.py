"""Kernels that begin where TensorFlow has been imported: one process imports it, a build's kernels are its forks.

To import TensorFlow and what the book needs takes as long as some chapter's trainings, and fifteen chapters did it
fifteen times. When a kernel branches off, nothing has been computed and no notebook has run, so a notebook finds what
it finds in a kernel of its own, and what it does no other notebook sees. It is done on Linux alone, since elsewhere a
process that has loaded such libraries cannot be forked safely, and where a build has so many notebooks that it pays.

This file is also the program of that process: it reads a request a line from its standard input, and answers each.
"""

import gc
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

MODULES = [
    *("ipykernel.kernelapp", "lrlib.quiet", "lrlib.datasets", "lrlib.plot", "lrlib.sweep", "lrlib.book", "myst_nb"),
    *("sklearn.datasets", "dask.array"),  # which lrlib and xarray import when they need them
]
PAYS_FROM = 3  # notebooks
LAUNCHER = "ipykernel_launcher"


def become_kernel(arguments, cwd, env):
    """In the fork: a kernel as ``python -m ipykernel_launcher`` makes one."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # requests and answers are not the kernel's
    os.dup2(2, 1)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:] = [LAUNCHER, *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]  # it ends with its parent
    import_module("ipykernel.kernelapp").launch_new_instance()


def names_of_threads():
    return [Path(task, "comm").read_text() for task in Path("/proc/self/task").iterdir()]


def serve(modules):
    """Import these, then fork a kernel for each request that describes one, and tell how it ended."""
    del sys.path[0]  # this folder, which a kernel would not have
    for module in modules:
        import_module(module)
    if started := [name for name in names_of_threads() if name.startswith("tf_")]:
        raise RuntimeError(f"TensorFlow has begun to compute, with the threads {started}, which a fork would not have")
    gc.collect()
    gc.freeze()  # pages that nobody writes on are shared
    for line in sys.stdin:
        asked = json.loads(line)
        if "ended" in asked:
            pid, status = os.waitpid(asked["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            return become_kernel(**asked)
        print(json.dumps(answer), flush=True)


class Nursery:
    """The process that serves, started when the first kernel is asked for."""

    def __init__(self, modules=MODULES):
        self.modules, self.process = modules, None

    def ask(self, **request):
        if self.process is None:
            command = [sys.executable, __file__, *self.modules]
            inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # as a kernel sets it at its start
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.process = subprocess.Popen(command, env=os.environ | inline, **pipes)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        if not (answer := self.process.stdout.readline()):
            raise RuntimeError(f"the process that forks kernels ended with {self.process.wait()}")
        return json.loads(answer)

    def close(self, *_):
        """End it; a build's kernels have ended by then."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


class Fork:
    """As much of ``subprocess.Popen`` as a provisioner asks for."""

    stdin = stdout = stderr = None

    def __init__(self, nursery, **kernel):
        self.nursery, self.returncode = nursery, None
        self.pid = nursery.ask(**kernel)

    def poll(self):
        if self.returncode is None:
            self.returncode = self.nursery.ask(ended=self.pid)
        return self.returncode

    wait = poll  # a provisioner waits for what poll has said to have ended

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)


def provisioner_of(nursery):
    """A provisioner of Jupyter's that has its kernels from there."""
    from jupyter_client.provisioning import LocalProvisioner

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd, cwd=None, env=None, **others):
            if LAUNCHER not in cmd:  # a kernel of another kind
                return await super().launch_kernel(cmd, cwd=cwd, env=env, **others)
            arguments = cmd[cmd.index(LAUNCHER) + 1 :]
            kernel = {"arguments": arguments, "cwd": str(cwd or os.getcwd()), "env": dict(env or os.environ)}
            self.process = Fork(nursery, **kernel)
            self.pid = self.pgid = self.process.pid
            self.cwd = kernel["cwd"]
            return self.connection_info

    return Provisioner


class Known(EntryPoint):
    """A provisioner that no package has to announce."""

    def load(self):
        return provisioner_of(NURSERY)


NURSERY = Nursery()


def from_a_nursery(app, env, docnames):
    """Let this build have its kernels from there, if it reads enough notebooks."""
    if sys.platform == "linux" and sum(env.doc2path(name).endswith(".ipynb") for name in docnames) >= PAYS_FROM:
        from jupyter_client.provisioning import KernelProvisionerFactory

        factory = KernelProvisionerFactory.instance()
        factory.provisioners["nursery"] = Known("nursery", __name__, "jupyter_client.kernel_provisioners")
        factory.default_provisioner_name = "nursery"


def setup(app):
    app.connect("env-before-read-docs", from_a_nursery)
    app.connect("build-finished", NURSERY.close)
    return {"parallel_read_safe": False}


if __name__ == "__main__":
    serve(sys.argv[1:])
