"""CUDA graphs, by a stand-in on the CPU that captures operations with the memory they use."""

import functools
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from infovae_core import checkpoints, stepper, training
from infovae_core.capture import WARM, Captured
from infovae_core.config import Knobs
from infovae_core.tape import Tape
from tests.test_tape import dataset, settings_of, weights

CHOICES = [
    {"objective": {"name": "InfoVAE"}, "model": {"network": "cnn_infovae"}},
    {"objective": {"name": "InfoMaxVAE", "bound": "dv"}, "training": {"critic_steps": 2}},
]


class Graph:
    """Operations, carried out again with the very tensors they were captured with.

    forgets: name of an operation → from which replay on it is left out.
    """

    def __init__(self, forgets=None):
        self.operations, self.replays, self.forgets = [], 0, forgets or {}

    @torch.no_grad()
    def replay(self):
        self.replays += 1
        for operation, args, kwargs, results in self.operations:
            left_out = self.forgets.get(operation.overloadpacket.__name__)
            if left_out is not None and self.replays >= left_out:
                continue
            again = operation(*args, **kwargs)
            for kept, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                if kept is not None and kept.data_ptr() != new.data_ptr():
                    kept.copy_(new)


class Capturing(TorchDispatchMode):
    """Writes down what is carried out within it."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        results = operation(*args, **kwargs or {})
        self.graph.operations.append((operation, args, kwargs or {}, results))
        return results


class Cuda:
    """What of `torch.cuda` a capture needs, and in which order it was asked."""

    class Stream:
        def __init__(self, cuda, name):
            self.cuda, self.name = cuda, name

        def wait_stream(self, other):
            self.cuda.log.append(f"{self.name} waits for {other.name}")

    def __init__(self, monkeypatch):
        self.log, self.forgets, self.graphs = [], {}, []
        self.now = self.Stream(self, "main")
        replaced = {
            "CUDAGraph": lambda: self.graphs.append(Graph(self.forgets)) or self.graphs[-1],
            "graph": self.capture,
            "Stream": lambda: self.Stream(self, "side"),
            "stream": self.on,
            "current_stream": lambda: self.now,
            "device": lambda device: nullcontext(),
        }
        for name, stand_in in replaced.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)

    @contextmanager
    def on(self, stream):
        before, self.now = self.now, stream
        self.log.append(f"work on {stream.name}")
        yield
        self.now = before

    @contextmanager
    def capture(self, graph, stream):
        self.log.append(f"capture on {stream.name}")
        with Capturing(graph):
            yield


@pytest.fixture
def cuda(monkeypatch):
    return Cuda(monkeypatch)


@pytest.fixture
def soon(cuda, monkeypatch):
    """Tapes after three steps and captures after four, as if on a GPU."""
    monkeypatch.setattr(stepper, "SETTLED", 3)
    monkeypatch.setattr(stepper, "RECORDED_FROM", 0)
    monkeypatch.setattr(stepper, "RESTED", 4)
    monkeypatch.setattr(stepper, "on_gpu", lambda x: True)
    return cuda


def begun(choice):
    """A state after one step, its tape, and what later steps take."""
    settings = settings_of(choice)
    data = dataset(settings)
    state = training.init(settings, data)
    step = functools.partial(stepper.train_step, state, state.objective)
    inputs = [(x, stepper.draw_noise(state, x)) for x in data.train.x.split(16)]
    step(*inputs[0])
    return state, Tape(step, stepper.changing(state), *inputs[0]), inputs


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_graph_takes_the_steps_of_its_tape(choice, cuda):
    ends, values = [], []
    for captured in (False, True):
        state, step, inputs = begun(choice)
        if captured:
            before = weights(state)
            step = Captured(step, stepper.changing(state), *inputs[0])
            assert all(map(torch.equal, before, weights(state)))
        values.append([step(*each) for each in inputs])  # the earlier ones must stay as they were
        ends.append(weights(state))
    assert all(map(torch.equal, *ends))
    assert values[0] == values[1]
    assert len({value["total"].item() for value in values[1]}) == len(inputs)


def test_a_capture_warms_up_and_records_on_a_stream_of_its_own(cuda):
    state, tape, inputs = begun({})
    taken = []
    replay = tape.replay
    tape.replay = lambda *args: taken.append(cuda.now.name) or replay(*args)
    Captured(tape, stepper.changing(state), *inputs[0])
    assert cuda.log == [
        *("side waits for main", "work on side", "capture on side", "main waits for side")
    ]
    assert taken[:WARM] == ["side"] * WARM


@functools.cache
def uncaptured():
    """How a run ends that takes its steps as they are."""
    settings = settings_of({}, compile="off", epochs=4)
    [*_, end] = training.train(settings, dataset(settings))
    return weights(end.state)


FORGETS = {
    "the optimiser": ({"_fused_adam_": 1}, "must change"),
    "the number of steps, in later replays": ({"_foreach_add_": 2}, "must give"),
    "what the first layer gives": ({"addmm": 1}, "must give"),
    "all": ({}, "must change"),
}


@pytest.mark.parametrize("what", FORGETS)
def test_a_graph_that_forgets_is_noticed_and_the_tape_goes_on(what, soon, monkeypatch):
    forgets, said = FORGETS[what]
    if forgets:
        soon.forgets = forgets
    else:
        monkeypatch.setattr(Graph, "replay", lambda graph: None)
    settings = settings_of({}, compile="on", epochs=4)
    reports = list(training.train(settings, dataset(settings)))
    [event] = [report.event for report in reports if report.event]
    assert event["kind"] == "warning"
    assert "could not be captured" in event["text"]
    assert said in event["text"]
    assert reports[-1].state.step == 12
    assert all(map(torch.equal, weights(reports[-1].state), uncaptured()))


def test_inputs_that_do_not_reach_the_graph_are_noticed(cuda, monkeypatch):
    state, tape, inputs = begun({})
    monkeypatch.setattr(
        Captured, "__call__", lambda self, *inputs: self.graph.replay() or self.values
    )
    with pytest.raises(RuntimeError, match="must give what its tape gives"):
        Captured(tape, stepper.changing(state), *inputs[0])


def test_training_goes_on_where_cuda_cannot_capture(soon, monkeypatch):
    def refuse(graph, stream):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    settings = settings_of({}, compile="on", epochs=4)
    reports = list(training.train(settings, dataset(settings)))
    [event] = [report.event for report in reports if report.event]
    assert event["text"].endswith(": operation not permitted when stream is capturing")
    assert all(map(torch.equal, weights(reports[-1].state), uncaptured()))


def test_a_captured_run_follows_turned_knobs_and_is_resumed_bit_for_bit(soon, tmp_path):
    settings = settings_of({}, compile="on", epochs=5)
    data = dataset(settings)
    turns, busy, events = {6: Knobs(learning_rate=1e-2)}, [], []
    hear = lambda what: busy.append(what) or nullcontext()  # noqa: E731
    for report in training.train(settings, data, turns=turns, busy=hear):
        if report.state.step == 12:
            checkpoints.save(report.state, tmp_path)
        events += [(report.state.step, report.event["kind"])] if report.event else []
    assert events == [(5, "compiled"), (11, "compiled")]
    assert all("CUDA graph" in said for said in busy)
    [*_, end] = training.train(settings, data, checkpoints.load(settings, data, tmp_path), turns)
    assert [graph.replays > 0 for graph in soon.graphs] == [True] * 3
    assert end.state.step == report.state.step == 15
    assert all(map(torch.equal, weights(end.state), weights(report.state)))


def test_auto_captures_nothing_until_it_was_measured(soon):
    settings = settings_of({}, compile="auto", epochs=4)
    list(training.train(settings, dataset(settings)))
    assert soon.graphs == []
