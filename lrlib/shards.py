"""The shards of a sweep: its lanes in pieces, each trained by a worker, which is a process of its own.

Where the workers are is joblib's business: processes of this machine, or a Dask cluster. A lane's numbers do not depend
on the worker that trains it.
"""

import contextlib
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from itertools import cycle

import joblib
import numpy as np

from lrlib import _checks
from lrlib._parcel import packed


class Unfinished(RuntimeError):
    """Not all shards were trained. The error that it was raised from says why, ``KeyboardInterrupt`` after Ctrl-C.

    Attributes
    ----------
    finished : dict
        The results of the shards that were, by shard.
    """

    def __init__(self, message: str, finished: dict):
        super().__init__(message)
        self.finished = finished


def workers(n_jobs: int | None = None) -> int:
    """Return how many shards can be trained at the same time.

    Parameters
    ----------
    n_jobs : int, optional
        As in scikit-learn: the number of processes, -1 for one on each core, -2 for all cores but one. By default 1,
        and inside ``joblib.parallel_config(...)`` what that says. On a Dask cluster every number but 1 means the whole
        cluster.

    Returns
    -------
    int
        Of a Dask cluster the processes count, not their threads.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0 or no whole number; if joblib was told to use neither its own processes nor Dask.
    ConnectionError, TimeoutError
        If the Dask cluster is closed; if no worker joins it in ten seconds.

    Examples
    --------
    >>> workers(), workers(2)
    (1, 2)
    >>> with joblib.parallel_config(n_jobs=3):
    ...     workers()
    3
    """
    return _where(n_jobs)[1]


def run(
    train: Callable,
    job,
    shards: Sequence[Sequence[int]],
    n_jobs: int | None = None,
    arrived: Callable[[Sequence[int]], object] | None = None,
) -> list:
    """Train all shards, with one worker here and one after the other, with several at the same time.

    Each worker receives ``train`` and the job once. If the worker of a Dask cluster dies, the cluster trains its shard
    again, as often as its setting ``distributed.scheduler.allowed-failures`` says.

    Parameters
    ----------
    train : callable
        ``train(job, lanes)`` returns the result of some lanes. In a worker one thread at a time calls it, and
        TensorFlow has the worker's part of the cores, unless ``TF_NUM_INTRAOP_THREADS`` says otherwise.
    job : object
        What else ``train`` needs. A worker is sent what ``lrlib._parcel.packed`` makes of it.
    shards : sequence of sequences of int
        The numbers of the lanes in each.
    n_jobs : int, optional
        As in :func:`workers`.
    arrived : callable, optional
        Called here with each shard whose result has arrived.

    Returns
    -------
    list
        What ``train`` returned for each shard.

    Raises
    ------
    Unfinished
        If ``train`` raised an error, if a worker of this machine died or the cluster was closed, if somebody pressed
        Ctrl-C. Workers of this machine are stopped then; those of a cluster end the shards that they have begun.
    TypeError
        If the job cannot be sent.
    ValueError, ConnectionError, TimeoutError
        As :func:`workers`.

    Examples
    --------
    >>> run(lambda job, lanes: job * sum(lanes), 10, [(0, 1), (2,)])
    [10, 20]
    """
    shards, finished, failed, results = [tuple(shard) for shard in shards], {}, None, None
    backend, count = _where(n_jobs)
    count = min(count, len(shards))
    task = sys.modules.get("lrlib.quiet"), train, job  # if this process imported TensorFlow quietly, the others do
    contents = np.frombuffer(packed(task), np.uint8) if backend else None  # an array, which is shared out once
    try:
        if hasattr(backend, "client"):
            results = _on_a_cluster(backend, contents, shards)
        elif backend and count > 1:
            threads = backend.inner_max_num_threads or max(1, joblib.cpu_count() // count)
            one, sent = joblib.delayed(_train_a_shard), (threads, joblib.hash(contents), contents)
            tasks = (one(*sent, shard) for shard in shards)
            results = joblib.Parallel(count, return_as="generator_unordered", batch_size=1)(tasks)
        else:
            results = (_trained(train, job, shard) for shard in shards)
        for shard, result, error in results:  # as they arrive, also what came before an error
            if error is not None:
                failed = shard
                raise error
            finished[shard] = result
            if arrived:
                arrived(shard)
    except (Exception, KeyboardInterrupt) as error:
        if results is not None:  # what is still training ends, also where Ctrl-C came between two results
            with contextlib.suppress(BaseException):
                results.throw(error)
        where = f" in lanes {failed[0]} to {failed[-1]}" if failed else ""
        message = f"{len(finished)} of {len(shards)} shards are trained, then{where}: {type(error).__name__} {error}"
        raise Unfinished(message.strip(), finished) from error
    return [finished[shard] for shard in shards]


def _where(n_jobs):
    """Return the backend of joblib, or None for this process, and the number of workers."""
    if n_jobs is not None and _checks.whole("n_jobs", n_jobs, at_least=-sys.maxsize) == 0:
        raise ValueError("n_jobs must be a number of processes, or -1 for one on each core, got 0")
    backend, configured = joblib.parallel.get_active_backend()
    if hasattr(backend, "client") and n_jobs != 1:
        if backend.client.status != "running":
            raise ConnectionError(f"the Dask cluster must be running, but its client is {backend.client.status}")
        backend.effective_n_jobs(-1)  # waits for the first worker
        return backend, len(backend.client.nthreads())
    count = 1 if n_jobs == 1 else backend.effective_n_jobs(configured if n_jobs is None else n_jobs)
    if count > 1 and not isinstance(backend, joblib.parallel.BACKENDS["loky"]):
        raise ValueError(f"joblib's backend must be loky or dask, got {type(backend).__name__}")
    return backend if count > 1 else None, count


def _on_a_cluster(backend, contents, shards):
    import dask
    from distributed import as_completed

    client, name, where = backend.client, joblib.hash(contents), backend.client.nthreads()
    # what a task returns is made again when the worker that has it dies; joblib would scatter it, and it would be lost.
    # Nor does joblib notice that a shard was given up
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": sys.maxsize}):
        sent = client.submit(np.asarray, contents, key=f"job-{name}")
    futures = []
    try:  # Ctrl-C may come while they are being sent
        for shard, worker in zip(shards, cycle(where)):  # in turn, for Dask would take those that have the job already
            how = {"workers": worker, "allow_other_workers": True, "pure": False, **backend.submit_kwargs}
            futures.append(client.submit(_train_a_shard, min(where.values()), name, sent, shard, **how))
        with backend.retrieval_context():
            yield from (future.result() for future in as_completed(futures))
    finally:
        if client.status == "running":
            client.cancel(futures)


_one_at_a_time, _received = threading.Lock(), {}  # in a worker, to whose threads Dask may give several shards


def _train_a_shard(threads, name, contents, shard):
    if threading.current_thread() is threading.main_thread():  # of joblib's processes
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches them all, and one sees to it
        # else joblib ends a worker that has grown by 300 MB, and TensorFlow alone may
        joblib.externals.loky.process_executor._MAX_MEMORY_LEAK_SIZE = float("inf")
    with _one_at_a_time:
        for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # which TensorFlow reads at its start
            os.environ.setdefault(variable, str(threads))
        if name not in _received:
            _received.clear()
            _, *_received[name] = pickle.loads(contents)
        shard, result, error = _trained(*_received[name], shard)
        if error is not None:
            error.add_note("".join(traceback.format_exception(error)))  # the traceback stays here
        return shard, result, error


def _trained(train, job, shard):
    """Return the shard with its result or its error, which joblib would let overtake the results that came before."""
    try:
        return shard, train(job, shard), None
    except Exception as error:
        return shard, None, error
