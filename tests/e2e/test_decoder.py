"""The browser's decoder against the model itself."""

import json

import numpy as np
import pytest
import torch

from infovae_core import decoders, decoding, runs, snapshots, training
from infovae_core.config import RunConfig

HALF = 2e-2  # what rounding the weights to half precision may change a mean by
DECODE = """async ([module, api, run, codes]) => {
  const { loadDecoder } = await import(module);
  const decoder = await loadDecoder(api, run, 3);
  return codes.map((z) => Array.from(decoder.decode(Float32Array.from(z))));
}"""


@pytest.fixture
def model(digits, root, request):
    """A fresh model of `request.param` settings, and the run that kept its decoder."""
    torch.set_default_dtype(torch.float32)
    config = RunConfig(model={"widths": [64, 64], **request.param})
    state = training.init(config, digits)
    run = runs.create(root, config)
    arrays = decoding.take(state.model, digits.shape, snapshots.take(state, digits))
    run.save_decoder(3, arrays)
    yield state.model, run
    run.delete()


LINKS = """async ([module, api, run]) => {
  const { loadDecoder } = await import(module);
  const decoder = await loadDecoder(api, run, 3);
  return [-90, -3, -0.01, 0, 0.04, 0.06, 2, 90].map((x) => decoder.decode(Float32Array.of(x))[0]);
}"""


@pytest.mark.parametrize("link", decoders.LINKS)
def test_the_browser_knows_every_link(page, server, root, link):
    run = runs.create(root, RunConfig())
    said = {"shape": [1, 1], "latent_dim": 1, "link": link, "layers": [["linear", "0"]]}
    weight = {"w.0.weight": np.ones((1, 1), np.float16), "w.0.bias": np.zeros(1, np.float16)}
    run.save_decoder(3, {"about": np.array(json.dumps(said)), **weight})
    page.goto(f"{server}/_stcore/health")
    got = page.evaluate(LINKS, ["/api/static/any/live/decoder.js", "/api/runs", run.id])
    x = np.array([[-90], [-3], [-0.01], [0], [0.04], [0.06], [2], [90]])
    np.testing.assert_allclose(got, decoders.decode(run.decoder(3), x).ravel(), atol=1e-5)
    run.delete()


@pytest.mark.parametrize(
    "model",
    [
        {"latent_dim": 2},
        {"latent_dim": 20, "activation": "silu", "likelihood": "gaussian"},
        {"latent_dim": 1, "activation": "tanh"},
    ],
    indirect=True,
    ids=str,
)
def test_the_browser_decodes_as_torch_does(page, server, model):
    model, run = model
    page.goto(f"{server}/_stcore/health")
    z = 2 * torch.randn(5, model.latent_dim)
    with torch.no_grad():
        expected = model.decode(z).mean.flatten(1)
    address = "/api/static/any/live/decoder.js"
    got = page.evaluate(DECODE, [address, "/api/runs", run.id, z.tolist()])
    np.testing.assert_allclose(got, expected, atol=HALF)
