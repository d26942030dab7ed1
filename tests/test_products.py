import functools

import pytest
import torch

from infovae_core import checkpoints, products, startup, stepper, training
from infovae_core.tape import Tape
from tests.test_tape import dataset, settings_of, weights

OBJECTIVES = [{"name": "VAE"}, {"name": "InfoVAE"}, {"name": "InfoMaxVAE"}]


@pytest.fixture(autouse=True)
def _single_precision(_reproducible):
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def of_any_size(monkeypatch):
    monkeypatch.setattr(products, "LEAST", 1)


def recorded(objective, onednn):
    settings = settings_of({"objective": objective})
    data = dataset(settings)
    state = training.init(settings, data)
    step = functools.partial(stepper.train_step, state, state.objective)
    x = data.train.x[:16]
    noise = stepper.draw_noise(state, x)
    step(x, noise)
    return Tape(step, stepper.changing(state), x, noise, onednn=onednn), state, (x, noise)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_a_step_by_onednn_differs_by_rounding(objective, of_any_size):
    ends = []
    for onednn in (False, True):
        tape, state, inputs = recorded(objective, onednn)
        asked = {str(node.target) for node in tape.module.graph.nodes}
        assert ("infovae.product.default" in asked) is onednn
        values = tape(*inputs)
        ends.append([*values.values(), *weights(state)])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_by_onednn_is_resumed_bit_for_bit(threads, of_any_size, monkeypatch, tmp_path):
    monkeypatch.setattr(stepper, "SETTLED", 3)
    monkeypatch.setattr(stepper, "RECORDED_FROM", 0)
    monkeypatch.setattr(products, "pay", lambda: True)
    torch.set_num_threads(threads)
    settings = settings_of(
        {"objective": {"name": "InfoMaxVAE"}, "model": {"widths": [200, 100]}}, epochs=4
    )
    data = dataset(settings)
    for report in training.train(settings, data):
        if report.state.step == 7:
            checkpoints.save(report.state, tmp_path)
    state = checkpoints.load(settings, data, tmp_path)
    [*_, end] = training.train(settings, data, state)
    assert end.state.step == report.state.step == 12
    assert all(map(torch.equal, weights(end.state), weights(report.state)))


def test_a_compiler_may_have_a_step_by_onednn(of_any_size):
    """Of which the compiler asks what shape and strides it gives."""
    a, b, bias = torch.randn(5, 4), torch.randn(3, 4).t(), torch.randn(3)
    torch.library.opcheck(torch.ops.infovae.product.default, (a, b, bias))
    torch.testing.assert_close(products.product(a, b, bias), a @ b + bias)


def test_matrices_with_gaps_and_small_products_are_left_to_torch():
    large = torch.empty(128, 256)
    assert products.suits(large, torch.empty(256, 128))
    assert products.suits(large, torch.empty(128, 256).t())
    assert not products.suits(large, torch.empty(256, 127))
    assert not products.suits(large, torch.empty(256, 200)[:, :128])
    assert not products.suits(large.double(), torch.empty(256, 128).double())


@pytest.mark.parametrize(
    ("text", "another"),
    [
        ("vendor_id\t: AuthenticAMD\n", True),
        ("vendor_id\t: GenuineIntel\n", False),
        ("CPU implementer\t: 0x41\n", False),
    ],
)
def test_only_where_the_processor_is_known_not_to_be_intels(text, another, tmp_path):
    (tmp_path / "cpuinfo").write_text(text)
    assert products.made_by_another(tmp_path / "cpuinfo") is another
    assert not products.made_by_another(tmp_path / "absent")


def test_a_torch_without_onednns_products_does_without(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(products, "made_by_another", lambda path: True)
    monkeypatch.setattr(products, "product", lambda a, b: torch.ops.mkldnn.gone(a, b))
    assert not products.pay.__wrapped__()


@pytest.mark.parametrize(("said", "threads"), [(None, 3), ("7", 4)])
def test_a_thread_is_left_to_others_unless_the_user_says_otherwise(said, threads, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(4)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    try:
        torch.set_num_threads(4)
        startup.load_torch()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
