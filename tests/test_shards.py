"""Shards of a sweep: wherever they are trained the numbers are the same, and what is finished is never lost."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from lrlib.quiet import keras  # isort: skip  (the first import of TensorFlow)

import cloudpickle
import joblib
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster, as_completed

from lrlib import datasets, shards
from lrlib._parcel import packed
from lrlib.shards import Unfinished, run, workers
from lrlib.sweep import sweep
from refusal import refused

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")  # as Keras saves
RATES = [0.01, 0.03, 0.1, 0.3]
SHARDS = [(0,), (1,), (2, 3)]
HERE = {"dashboard_address": "127.0.0.1:0"}  # the outside does not see it, and no port has to be free


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process; it knows how many deaths make a shard hopeless."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **HERE) as cluster, Client(cluster):
        yield cluster


@pytest.fixture
def by_value():
    """What this file has goes to the workers; one that imported the file would load TensorFlow."""
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)
    yield
    cloudpickle.unregister_pickle_by_value(here)


@pytest.fixture
def dask(cluster, by_value):
    try:
        Client.current().wait_for_workers(2, timeout=60)  # a test may have killed some, and a new one takes its time
    except TimeoutError:  # on a machine that is very busy Dask gives up one that takes too long
        cluster.scale(0)
        while Client.current().scheduler_info()["workers"]:
            time.sleep(0.1)
        cluster.scale(2)
        Client.current().wait_for_workers(2, timeout=120)
    with joblib.parallel_config(backend="dask"):
        yield cluster


@pytest.fixture
def loky(by_value):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        yield


@pytest.fixture(params=["loky", "dask"])
def somewhere(request):
    """Two workers, as joblib makes them and as Dask does."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def light(request, monkeypatch):
    """Only workers that train a network load TensorFlow, which takes them seconds."""
    if "job" not in request.fixturenames:
        monkeypatch.delitem(sys.modules, "lrlib.quiet")


# How many


@pytest.mark.parametrize(
    ("configured", "asked", "expected"),
    [(None, None, 1), (None, 1, 1), (None, 3, 3), (None, -1, joblib.cpu_count()), (3, None, 3), (3, 2, 2), (3, 1, 1)],
)
def test_n_jobs_means_what_it_means_in_scikit_learn(configured, asked, expected):
    with joblib.parallel_config(n_jobs=configured):
        assert workers(asked) == expected


@pytest.mark.parametrize("wrong", [0, 1.5, "2", True])
def test_another_n_jobs_is_refused(wrong):
    for call in (lambda: workers(wrong), lambda: run(None, None, SHARDS, wrong)):
        refused(call, ValueError, "n_jobs must be", repr(wrong))


def test_threads_are_refused():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        refused(lambda: run(None, None, SHARDS), ValueError, "must be loky or dask, got ThreadingBackend")


def test_a_cluster_s_processes_are_its_workers(dask):
    assert workers() == workers(-1) == workers(7) == 2 and workers(1) == 1


def test_one_worker_is_this_process(somewhere):
    """And nothing has to be pickled."""
    job = (value for value in "abcd")
    assert run(lambda job, lanes: (os.getpid(), next(job)), job, SHARDS, 1) == [(os.getpid(), c) for c in "abc"]


def waits_for(number, folder):
    """Wait until a folder has so many files, a minute at most."""
    for _ in range(1200):
        if len(list(folder.iterdir())) >= number:
            return
        time.sleep(0.05)


class Lane(int):
    """A lane that leaves a file when it is put among those that are finished, in the process that asked for it."""

    def __new__(cls, number, folder):
        lane = super().__new__(cls, number)
        lane.folder = folder
        return lane

    def __reduce__(self):
        return Lane, (int(self), self.folder)

    def __hash__(self):
        (self.folder / str(int(self))).touch()
        return super().__hash__()


class Arriving:
    """A result that leaves a file where it is opened, which is the process that asked for it."""

    def __init__(self, lanes, folder):
        self.lanes, self.folder = lanes, folder

    def __reduce__(self):
        return opened, (self.lanes, self.folder)


def opened(lanes, folder):
    (folder / str(lanes[0])).touch()
    return lanes


def test_results_come_in_the_order_of_the_shards(somewhere, tmp_path):
    def train(job, lanes):
        (tmp_path / str(os.getpid())).touch()
        waits_for(2, tmp_path)  # workers
        if lanes == (0,):
            waits_for(3, tmp_path)  # another shard, which is over before
        else:
            (tmp_path / "over").touch()
        return job * np.array(lanes), os.getpid()

    arrived = []
    results, processes = zip(*run(train, 10, SHARDS, arrived=arrived.append), strict=True)
    assert [values.tolist() for values in results] == [[0], [10], [20, 30]]
    assert arrived[0] != (0,) and sorted(arrived) == sorted(map(tuple, SHARDS)), "as they come"
    assert len(set(processes)) == 2 and os.getpid() not in processes


def test_nothing_to_train(somewhere):
    assert run(None, None, []) == []


def test_tensorflow_has_a_worker_s_part_of_the_cores(loky):
    def threads(job, lanes):
        return [os.environ[f"TF_NUM_{which}_THREADS"] for which in ("INTRAOP", "INTEROP")]

    def unless_said_otherwise(number):
        return [os.environ.get(f"TF_NUM_{which}_THREADS", str(number)) for which in ("INTRAOP", "INTEROP")]

    assert run(threads, None, SHARDS) == [unless_said_otherwise(max(1, joblib.cpu_count() // 2))] * 3
    with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=5):
        assert run(threads, None, SHARDS) == [unless_said_otherwise(5)] * 3


# What they train


def model_of_the_reader_s():
    """Its classes and functions exist nowhere else, as those of a notebook."""

    class Scaled(keras.layers.Layer):
        def __init__(self, by, **how):
            super().__init__(**how)
            self.by = by

        def build(self, shape):
            self.factor = self.add_weight(shape=shape[-1:], initializer="ones")

        def call(self, x):
            return x * self.factor * self.by

    @keras.saving.register_keras_serializable("reader")
    class Cubed(keras.losses.Loss):
        def call(self, y, predicted):
            return keras.ops.mean(keras.ops.abs(y - predicted) ** 3, axis=-1)

    class Slowly(keras.optimizers.SGD):
        pass

    def bent(x):
        return keras.ops.maximum(x, 0.1 * x)

    x = keras.Input((3,))
    hidden = keras.layers.Dense(4, bent, kernel_initializer=keras.initializers.RandomUniform(seed=0))(x)
    model = keras.Model(x, keras.layers.Add()([Scaled(3.0)(hidden), hidden]))
    model.compile(Slowly(0.25, momentum=0.5), Cubed())
    return model


def outputs(model, lanes):
    import tensorflow as tf

    x = tf.reshape(tf.range(6.0), (2, 3))
    names = type(model.loss).__name__, type(model.optimizer).__name__
    return model(x).numpy(), model.compute_loss(y=tf.ones((2, 4)), y_pred=model(x)).numpy(), names


def test_a_model_takes_the_reader_s_own_code_with_it(somewhere):
    model = model_of_the_reader_s()
    expected = outputs(model, ())
    assert expected[2] == ("Cubed", "Slowly")
    for here, there in zip(expected, run(outputs, model, SHARDS)[1], strict=True):
        np.testing.assert_array_equal(here, there)


class Own(keras.Model):
    def __init__(self, units, **how):
        super().__init__(**how)
        self.units, self.both = units, [keras.layers.Dense(units, "relu"), keras.layers.Dense(1)]

    def call(self, x):
        return self.both[1](self.both[0](x))


def to_the_fourth(y, predicted):
    return keras.ops.mean((y - predicted) ** 4, axis=-1)


class Saved(Own):
    def get_config(self):
        return super().get_config() | {"units": self.units}


class Forgetful(Own):
    """Keras saves it, and cannot make it again."""

    def get_config(self):
        return {"name": self.name}


def test_a_model_of_each_kind_can_be_sent():
    own, adam = Saved(3), keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    own(np.ones((1, 3)))
    adam.compile("adam", to_the_fourth)
    for model in (own, adam):
        again = pickle.loads(packed({"model": [model]}))["model"][0]
        np.testing.assert_array_equal(model(np.ones((2, 3))), again(np.ones((2, 3))))
    assert again.loss is to_the_fourth


def test_what_cannot_be_sent_is_refused_before_any_training(somewhere, tmp_path):
    refused(lambda: run(Path.touch, sys.stdout, SHARDS), TypeError, "must be able to go to another process")
    nameless = keras.layers.Dense(3, lambda x: x)
    for layer, why in ((Own(3), "get_config"), (Forgetful(3), "Forgetful"), (nameless, "a lambda has no name")):
        refused(lambda layer=layer: run(Path.touch, layer, SHARDS), TypeError, "go to another process", why)


def test_a_worker_unpacks_the_job_once(somewhere, tmp_path):
    class Job:
        def __setstate__(self, state):
            os.environ["UNPACKED"] = os.environ.get("UNPACKED", "") + "x"

    def train(job, lanes):
        (tmp_path / str(os.getpid())).touch()
        waits_for(2, tmp_path)  # workers
        return os.getpid(), os.environ["UNPACKED"]

    job = Job()
    job.something = None
    counted = run(train, job, [(lane,) for lane in range(6)])
    assert len(set(counted)) == 2 and {times for _, times in counted} == {"x"}


def test_a_worker_trains_one_shard_at_a_time(monkeypatch):
    """Though Dask gives its two threads two; TensorFlow may use both."""
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "7")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)

    def when(job, lanes):
        began = time.perf_counter()
        time.sleep(0.1)
        return began, time.perf_counter(), os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["TF_NUM_INTEROP_THREADS"]

    one = LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **HERE)
    with one, Client(one), joblib.parallel_config(backend="dask"):
        (_, end, *threads), (begin, *_) = sorted(run(when, None, SHARDS[:2]))
    assert end <= begin and threads == ["2", "7"]


# The same numbers


@pytest.fixture(scope="module")
def job():
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, datasets.digits()


def trained(job, lanes):
    runs = sweep(*job, [RATES[lane] for lane in lanes], [0, 1], steps=30, batch_size=32)
    return {name: values.values for name, values in runs.items()}


@pytest.fixture(scope="module")
def expected(job):
    return trained(job, tuple(range(len(RATES))))


@pytest.mark.parametrize(
    ("where", "shards"), [("loky", SHARDS), ("dask", [(lane,) for lane in range(4)])], ids=["loky", "dask"]
)
def test_the_same_bits_with_any_number_of_workers(where, shards, job, expected, request):
    request.getfixturevalue(where)
    results = run(trained, job, shards)
    assert len(expected) == 12
    for name, values in expected.items():
        np.testing.assert_array_equal(np.concatenate([result[name] for result in results]), values, err_msg=name)


def test_a_sweep_does_not_say_where_it_was_trained(somewhere, job):
    how = dict(seeds=range(12), steps=10, batch_size=32)
    assert sweep(*job, RATES, **how).identical(sweep(*job, RATES, **how, n_jobs=1))


# Workers that die


def test_a_cluster_trains_the_shards_of_dead_workers_again(dask, tmp_path):
    """Each of the two dies once, in the middle of a shard, so that nobody is left who had the job."""

    def train(job, lanes):
        numbers, marks = job
        if lanes in marks and not marks[lanes].exists():
            marks[lanes].touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return numbers[list(lanes)].tolist()

    processes = set(run(lambda job, lanes: os.getpid(), None, SHARDS))
    marks = {shard: tmp_path / str(shard[0]) for shard in SHARDS[:2]}
    assert run(train, (np.array([0.25, 0.5, 0.75, 1.0]), marks), SHARDS) == [[0.25], [0.5], [0.75, 1.0]]
    assert all(mark.exists() for mark in marks.values())
    assert not processes & set(run(lambda job, lanes: os.getpid(), None, SHARDS))


def test_a_shard_that_kills_every_worker_ends_the_run(dask, monkeypatch):
    monkeypatch.setattr(dask.scheduler, "allowed_failures", 0)
    with pytest.raises(Unfinished, match="KilledWorker") as caught:
        run(lambda job, lanes: os.kill(os.getpid(), signal.SIGKILL) if lanes == (1,) else lanes, None, SHARDS)
    assert (1,) not in caught.value.finished


def test_a_dead_worker_of_this_machine_is_an_error_that_keeps_what_is_finished(loky, tmp_path):
    def train(job, lanes):
        if lanes == (2, 3):
            waits_for(2, tmp_path)
            os.kill(os.getpid(), signal.SIGKILL)
        return lanes

    shards = [tuple(Lane(lane, tmp_path) for lane in shard) for shard in SHARDS[::-1]]
    with pytest.raises(Unfinished) as caught:
        run(train, None, shards)
    assert caught.value.finished == {(0,): (0,), (1,): (1,)}
    for part in ("2 of 3 shards are trained", "TerminatedWorkerError", "SIGKILL"):
        assert part in str(caught.value)
    assert run(lambda job, lanes: lanes, None, SHARDS) == SHARDS  # and the next run has new workers


# Errors


@pytest.mark.parametrize("n_jobs", [1, None])
def test_an_error_names_the_lanes_and_keeps_what_is_finished(somewhere, n_jobs, tmp_path):
    def train(job, lanes):
        if lanes == (1,):
            return lanes if n_jobs == 1 else Arriving(lanes, tmp_path)
        if n_jobs != 1:
            waits_for(1, tmp_path)
        raise ValueError("the loss is NaN")

    with pytest.raises(
        Unfinished, match="^1 of 2 shards are trained, then in lanes 2 to 3: ValueError the loss"
    ) as caught:
        run(train, None, SHARDS[1:], n_jobs)
    assert caught.value.finished == {(1,): (1,)}
    assert type(caught.value.__cause__) is ValueError
    notes = "".join(getattr(caught.value.__cause__, "__notes__", []))
    assert ('raise ValueError("the loss is NaN")' in notes) == (n_jobs is None)


def test_a_closed_cluster_is_refused(monkeypatch):
    with LocalCluster(n_workers=0, processes=False, **HERE) as none, Client(none) as client:
        with joblib.parallel_config(backend="dask", wait_for_workers_timeout=0.5):
            refused(lambda: run(None, None, SHARDS), TimeoutError, "no worker")
            client.close()
            for call in (workers, lambda: run(None, None, SHARDS)):
                refused(call, ConnectionError, "the Dask cluster must be running, but its client is closed")


def test_a_cluster_that_closes_meanwhile_is_an_error_that_keeps_what_is_finished(tmp_path, monkeypatch):
    def train(job, lanes):
        (tmp_path / str(lanes[0])).touch()
        if len(list(tmp_path.iterdir())) == 2:  # the worker's second shard, which either may be
            waits_for(3, tmp_path)
        return lanes

    def closes_after_one(futures):
        arriving = as_completed(futures)
        yield next(arriving)
        client.close()
        (tmp_path / "closed").touch()
        yield from arriving

    monkeypatch.setattr("distributed.as_completed", closes_after_one)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **HERE) as one, Client(one) as client:
        with joblib.parallel_config(backend="dask"), pytest.raises(Unfinished, match="Cancelled") as caught:
            run(train, None, SHARDS[:2])
    assert len(caught.value.finished) == 1


def test_ctrl_c_while_the_shards_are_being_sent_to_a_cluster_cancels_those_that_were():
    sent, cancelled = [], []

    def submit(*task, **how):
        if len(sent) == 3:
            raise KeyboardInterrupt
        sent.append(task)
        return len(sent)

    client = SimpleNamespace(nthreads=lambda: {"here": 1}, status="running", submit=submit, cancel=cancelled.extend)
    with pytest.raises(KeyboardInterrupt):
        next(shards._on_a_cluster(SimpleNamespace(client=client, submit_kwargs={}), b"the job", SHARDS))
    assert cancelled == [2, 3]  # 1 is the job


def test_ctrl_c_between_two_results_ends_the_others(monkeypatch):
    ended = []

    def results(*_):
        try:
            yield from ((shard, shard, None) for shard in SHARDS)
        finally:
            ended.append("as an error is held")

    def arrived(shard):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "_where", lambda n_jobs: (SimpleNamespace(client=None), 2))
    monkeypatch.setattr(shards, "_on_a_cluster", results)
    with pytest.raises(Unfinished) as caught:
        run(None, None, SHARDS, arrived=arrived)
    assert ended and caught.value.finished == {SHARDS[0]: SHARDS[0]}


INTERRUPTED = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a shell ignores it
from pathlib import Path
import joblib
from lrlib.shards import Unfinished, run

mark = Path(sys.argv[1])

class Lane(int):  # it leaves a file when it is put among those that are finished
    def __hash__(self):
        (mark / "finished").touch()
        return super().__hash__()

def train(mark, lanes):
    if lanes != (0,):
        (mark / str(lanes[0])).touch()
        time.sleep(600)
    return (0,)

try:
    run(train, mark, [(Lane(0),), (1,), (2,)], int(sys.argv[2]))
except Unfinished as error:
    print(error, error.finished, type(error.__cause__).__name__)
"""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_keeps_what_is_finished(n_jobs, tmp_path):
    """As a terminal sends it, to all processes."""
    command = [sys.executable, "-W", "error", "-c", INTERRUPTED, str(tmp_path), str(n_jobs)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True) as process:
        while process.poll() is None and len(list(tmp_path.iterdir())) < 1 + n_jobs:  # the first, and those that wait
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert errors == "" and process.returncode == 0
    assert printed == "1 of 3 shards are trained, then: KeyboardInterrupt {(0,): (0,)} KeyboardInterrupt\n"
    assert len(children) >= 2 * (n_jobs > 1)
    _, left = psutil.wait_procs(children, timeout=60)
    # one that has ended stays on the list as a zombie where nobody asks for its end
    assert [child for child in left if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
