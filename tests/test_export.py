"""A run taken away: loaded again it is the same model, repeated it is the same run."""

import base64
import contextlib
import errno
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from PIL import Image

from infovae_core import (
    checkpoints,
    decoders,
    decoding,
    drawings,
    export,
    knobs,
    options,
    recipes,
    report,
    runs,
    snapshots,
    training,
)
from infovae_core.__main__ import main
from infovae_core.config import RunConfig
from infovae_core.drawings import Line
from infovae_core.runs import RunError

ROOT = Path(__file__).parent.parent
SMALL = {"widths": [16]}


@pytest.fixture(autouse=True)
def _as_runs_are():
    torch.set_default_dtype(torch.float32)


def trained(tmp_path, digits, **settings):
    """A short run as a worker leaves it, and its state."""
    config = RunConfig.model_validate({"model": SMALL, "training": {"epochs": 2}, **settings})
    run = runs.create(tmp_path, config)
    state = training.init(config, digits)
    run.event("started", 0, about=training.about(config, digits, state))
    for made in training.train(config, digits, state):
        for row in made.rows:
            clock = {"step": state.step, "epoch": 1, "seconds": 1, "split": row.split}
            run.log(clock | {"values": row.values})
    arrays = snapshots.take(state, digits)
    run.save_snapshot(state.step, arrays)
    run.save_decoder(state.step, decoding.take(state.model, digits.shape, arrays))
    checkpoints.save(state, run.path / "checkpoint")
    run.set_status(state="finished", step=state.step, steps=state.step, seconds=1.0)
    return run, state


# The model.


@pytest.mark.parametrize("objective", ["VAE", "InfoMaxVAE"])
def test_safetensors_are_the_model_and_say_what_it_is(tmp_path, digits, objective):
    run, state = trained(tmp_path, digits, objective={"name": objective})
    [path] = export.write(run, "safetensors", tmp_path / "out")
    model, config = export.load(path)
    assert config == RunConfig.model_validate(run.config)
    for name, weight in state.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    x = digits.test.x[:5]
    assert torch.equal(model.posterior(x).mean, state.model.posterior(x).mean)
    assert not model.training


def test_what_was_written_is_loaded_again_and_must_be_the_model(tmp_path, digits, monkeypatch):
    import safetensors.numpy

    run, _ = trained(tmp_path, digits)
    told = []
    export.write(run, "safetensors", tmp_path / "out", told.append)
    assert [line.split(",")[0] for line in told] == [f"checked: {run.id}.safetensors"]
    save = safetensors.numpy.save

    def spoilt(weights, metadata):
        name = next(iter(weights))
        return save(weights | {name: weights[name] + 1e-6}, metadata)

    monkeypatch.setattr(safetensors.numpy, "save", spoilt)
    for export_it in (export.safetensors, lambda run: export.write(run, "safetensors", tmp_path)):
        with pytest.raises(RunError, match="must hold the checkpoint's weights"):
            export_it(run)


def test_a_foreign_file_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(RunError, match="config and shape"):
        export.load(tmp_path / "other.safetensors")


def test_onnx_computes_what_the_model_does(tmp_path, digits):
    run, state = trained(tmp_path, digits, model=SMALL | {"latent_dim": 3})
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter speaks of its own parts
        encoder, decoder = export.write(run, "onnx", tmp_path, told.append)
        import onnx
        from onnx.reference import ReferenceEvaluator

        for path in (encoder, decoder):
            onnx.checker.check_model(onnx.load(path))
        for count in (1, 7):
            x, z = digits.test.x[:count], torch.randn(count, 3)
            with torch.no_grad():
                q, image = state.model.posterior(x), state.model.decode(z).mean
            mean, std = ReferenceEvaluator(str(encoder)).run(None, {"x": x.numpy()})
            np.testing.assert_allclose(mean, q.mean, atol=1e-5)
            np.testing.assert_allclose(std, q.stddev, rtol=1e-4)
            [decoded] = ReferenceEvaluator(str(decoder)).run(None, {"z": z.numpy()})
            np.testing.assert_allclose(decoded, image, atol=1e-5)
        x, z = export.probes(state.model, digits.shape)
        close = {"decoder": [state.model.decode(z).mean.detach()]}
        assert export.difference(decoder, {"z": z.numpy()}, close["decoder"]) < 1e-5
        with pytest.raises(RunError, match="must compute what the model does"):
            export.difference(decoder, {"z": z.numpy() + 0.1}, close["decoder"])
    assert sorted(path.suffix for path in tmp_path.glob(f"{run.id}*.*")) == [".onnx", ".onnx"]
    assert ["-encoder.onnx, " in told[0], "-decoder.onnx, " in told[1]] == [True, True]
    assert all(line.startswith(export.TOLD) for line in told)


def test_without_onnxscript_the_remedy_is_named(tmp_path, digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    run, _ = trained(tmp_path, digits)
    with pytest.raises(RunError, match="pip install onnxscript"):
        export.write(run, "onnx", tmp_path)


def raising(number):
    """An exporter that has written a part, and then meets with an error of this number."""

    def exporter(run, folder, tell):
        (folder / f"{run.id}.html").write_text("half")
        raise OSError(number, os.strerror(number), str(folder / "a file"))

    return exporter


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk must have room"),
        (errno.EDQUOT, "disk must have room"),
        (errno.EACCES, "must be writable.*Permission denied"),
        (errno.EROFS, "must be writable.*Read-only"),
        (errno.EIO, "got Input/output error"),
    ],
)
def test_why_nothing_could_be_written_is_said_and_what_was_there_stays(
    tmp_path, monkeypatch, number, said
):
    run = runs.create(tmp_path, RunConfig())
    out = tmp_path / "out"
    [path] = export.write(run, "report", out)
    before = path.read_text()
    monkeypatch.setitem(export.FORMATS, "report", raising(number))
    with pytest.raises(RunError, match=f"{said}.*--out"):
        export.write(run, "report", out)
    assert [p.name for p in out.iterdir()] == [path.name]
    assert path.read_text() == before


def test_what_stands_in_the_way_is_named(tmp_path):
    run = runs.create(tmp_path, RunConfig())
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunError, match="which is a file or lies in one"):
            export.write(run, "report", out)
    (tmp_path / "out" / f"{run.id}.html").mkdir(parents=True)
    with pytest.raises(RunError, match="got a folder at"):
        export.write(run, "report", tmp_path / "out")


def test_a_run_without_a_checkpoint_says_what_to_do(tmp_path, capsys):
    run = runs.create(tmp_path, RunConfig())
    for kind in ("safetensors", "onnx"):
        args = ["export", str(run.path), "--to", kind, "--out", str(tmp_path)]
        assert main(args) == 2
        assert "train it first" in capsys.readouterr().err


# To repeat it.

VARIED = [
    {},
    {"objective": {"name": "BetaVAE", "beta": 2.5}, "label": 'it\'s "one" $HOME'},
    {"objective": {"name": "InfoVAE", "alpha": -0.5, "lam": 1e3, "kernel": "imq"}},
    {"objective": {"name": "InfoMaxVAE", "bound": "nce"}, "data": {"binarize": "dynamic"}},
    {"model": {"widths": [9, 8], "decoder_widths": [7], "likelihood": "gaussian", "sigma": 0.3}},
    {"data": {"limit": 300}, "training": {"seed": 7, "learning_rate": 3e-4, "device": "cpu"}},
    {"turns": [{"step": 9, "knobs": {"learning_rate": 1e-4}}]},
    {
        "objective": {"name": "BetaVAE"},
        "turns": [{"step": 3, "knobs": {"objective": {"name": "BetaVAE", "beta": 9}}}],
    },
]


@pytest.mark.parametrize("settings", VARIED, ids=str)
def test_what_is_copied_says_the_whole_config(settings, tmp_path):
    config = RunConfig.model_validate(settings)
    text = recipes.command(config)
    if "<<" in text:
        head, *lines, end = text.splitlines()
        assert head.endswith("--config /dev/stdin <<'END'")
        assert end == "END"
        said = RunConfig.model_validate_json("\n".join(lines))
    else:
        said = options.parse(shlex.split(text)[3:]).values
    assert said == config
    names = {}
    script = recipes.python(config).split("images =")[0].replace("startup.load_torch()", "")
    exec(script, names)
    assert names["config"] == config


def values(text):
    """Rows as a script printed them."""
    found = re.findall(r"^(\d+) (\w+) (\{.*\})$", text, re.M)
    return [(int(step), split, eval(row)) for step, split, row in found]


def run_here(args, capsys):
    """The rows of a run that the command line trains in this process."""
    assert main(args) == 0
    return rows_of(capsys.readouterr().out)


def rows_of(printed):
    run = runs.Run(Path(printed.strip().splitlines()[-1]))
    return run, [(row["step"], row["split"], row["values"]) for row in run.rows()]


def printed_by(script, capsys):
    """The rows that a copied script prints."""
    exec(script, {})
    return values(capsys.readouterr().out)


def test_executing_what_was_copied_gives_the_same_metrics_bit_for_bit(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path))
    settings = ["--model.widths", "16", "--training.epochs", "2", "--data.limit", "256"]
    run, rows = run_here(["train", *settings], capsys)
    config = knobs.replica(run)
    _, again = run_here(shlex.split(recipes.command(config))[3:], capsys)
    assert again == printed_by(recipes.python(config), capsys) == rows

    run.event("turned", 2, knobs={"learning_rate": 1e-4})  # as if somebody had turned it
    turned = knobs.replica(run)
    command = recipes.command(turned).replace("python", shlex.quote(sys.executable), 1)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    _, by_command = rows_of(done.stdout)
    assert by_command == printed_by(recipes.python(turned), capsys)
    assert by_command != rows


# The report.


def pictures(page):
    found = re.findall(r'<img class="(\w+)" width="(\d+)" [^>]*base64,([^"]+)">', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for *_, data in found]


def cut(table, rows, columns, h, w):
    """The images of a table, dark on light as they are there."""
    tiles = [
        table[r * (h + drawings.GAP) :][:h, c * (w + drawings.GAP) :][:, :w]
        for r in range(rows)
        for c in range(columns)
    ]
    return 255 - np.stack(tiles)


def test_a_report_needs_no_other_file_and_shows_the_run(tmp_path, digits):
    run, state = trained(tmp_path, digits, label="a <b> & c")
    [path] = export.write(run, "report", tmp_path / "out")
    page = path.read_text()
    links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', page)
    assert all(link.startswith("data:") for link in links)
    assert "<script" not in page
    assert "a &lt;b&gt; &amp; c" in page
    for text in ("Latent dimension d", "loss, nats per image", "Held-out", "To repeat it"):
        assert text in page
    snapshot, arrays = run.snapshot(state.step), run.decoder(state.step)
    pairs, samples, manifold = pictures(page)
    shown = cut(pairs, 2, report.SHOWN, 8, 8)
    assert np.array_equal(shown[: report.SHOWN], snapshot["originals"][: report.SHOWN])
    assert np.array_equal(shown[report.SHOWN :], snapshot["reconstructions"][: report.SHOWN])
    assert np.array_equal(cut(samples, 5, report.SHOWN, 8, 8), snapshot["samples"])
    grid = cut(manifold, report.GRID, report.GRID, 8, 8)
    n = report.GRID
    left, top = (NormalDist().inv_cdf(p) for p in (0.5 / n, 1 - 0.5 / n))
    corner = decoders.decode(arrays, np.array([[left, top], [-left, top], [left, -top]]))
    for place, expected in zip((0, n - 1, n * (n - 1)), corner, strict=True):
        np.testing.assert_allclose(grid[place], 255 * expected, atol=1)


@pytest.mark.parametrize("d", [1, 5])
def test_reports_of_other_dimensions(tmp_path, digits, d):
    run, _ = trained(tmp_path, digits, model=SMALL | {"latent_dim": d})
    page = report.html(run)
    assert len(pictures(page)) == 2 + (1 if d == 1 else d)
    assert page.count("<circle") > 500


@pytest.mark.parametrize("d", [1, 2, 5])
def test_what_only_torch_can_decode_has_its_traversals_too(tmp_path, digits, monkeypatch, d):
    monkeypatch.setattr(decoding, "PORTABLE", 0)  # as if it were convolutions
    run, state = trained(tmp_path, digits, model=SMALL | {"latent_dim": d})
    assert not decoders.runs_anywhere(run.decoder(state.step))
    asked = []

    def decode(run, step, z):
        asked.append(z)
        return export.decode(run, step, z)

    _, _, *drawn = pictures(report.html(run, decode))
    [z] = asked  # at once
    assert (len(drawn), len(z)) == {1: (1, 15), 2: (1, 225), 5: (5, 65)}[d]
    with torch.no_grad():
        expected = 255 * state.model.decode(torch.from_numpy(z)).mean.numpy()
    if d > 2:
        got = np.concatenate([cut(row, 1, len(report.STOPS), 8, 8) for row in drawn])
    else:
        got = cut(drawn[0], 15 ** (d - 1), 15, 8, 8)
        order = np.lexsort((z[:, 0], -z[:, -1])) if d == 2 else np.argsort(z[:, 0])
        expected = expected[order]
    np.testing.assert_allclose(got, expected, atol=2)  # kept in half precision


def test_where_nobody_can_decode_now_the_report_says_so_and_shows_what_was_decoded_ahead(
    tmp_path, digits, monkeypatch
):
    monkeypatch.setattr(decoding, "PORTABLE", 0)
    run, _ = trained(tmp_path, digits)

    def busy(run, step, z):
        raise RunError("the <server> is busy; try again")

    page = report.html(run, busy)
    assert "the &lt;server&gt; is busy; try again" in page
    assert "Images over the plane of the codes" in page
    assert len(pictures(page)) == len(pictures(report.html(run))) == 3


def test_a_run_that_has_just_begun_has_a_report(tmp_path):
    run = runs.create(tmp_path, RunConfig(label="fresh"))
    page = report.html(run)
    assert "fresh" in page
    assert "<img" not in page
    run.log({"step": 1, "split": "test", "values": {"total": None}})
    assert "<td>loss</td><td>–</td>" in report.html(run)


def test_a_report_without_a_label_is_called_by_what_was_trained_on_what(tmp_path):
    config = RunConfig(
        data={"name": "two_points"}, objective={"name": "VAE"}, model={"latent_dim": 1}
    )
    page = report.html(runs.create(tmp_path, config))
    assert "<title>VAE on Two points, d = 1</title>" in page


def test_measured_metrics_have_their_errors(tmp_path):
    run = runs.create(tmp_path, RunConfig())
    record = {"value": 1.23456, "error": 0.012, "low": 1.21, "high": 1.26, "note": "as <is>"}
    run.save_evaluation({"elbo": record})
    page = report.html(run)
    assert "1.235 ± 0.012" in page
    assert "1.21 to 1.26" in page
    assert "as &lt;is&gt;" in page


def test_a_curve_goes_through_its_values():
    steps, rows = [0, 50, 100, 150], [1.0, 3.0, None, 2.0]
    drawn = drawings.plot("x", [Line("train", steps, rows)], "red")
    [path] = re.findall(r'<path d="([^"]+)" stroke="red"', drawn)
    points = [
        (mark, float(x), float(y)) for mark, x, y in re.findall(r"([ML])([\d.]+) ([\d.]+)", path)
    ]
    assert [mark for mark, *_ in points] == ["M", "L", "M"]  # a gap is left open
    (_, x0, y0), (_, x1, y1), (_, x3, y3) = points
    assert (x1 - x0) / (x3 - x0) == pytest.approx(1 / 3, abs=1e-2)
    assert (y0 - y3) / (y0 - y1) == pytest.approx(1 / 2, abs=1e-2)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 7.7), (1e-4, 9e-4), (150, 152)])
def test_ticks_are_round_and_within(low, high):
    found = drawings.ticks(low, high)
    assert 2 <= len(found) <= 10
    assert low - 1e-9 <= found[0]
    assert found[-1] <= high + 1e-9
    step = found[1] - found[0]
    assert round(step / 10 ** np.floor(np.log10(step) + 1e-9), 6) in (1, 2, 5)
    np.testing.assert_allclose(np.diff(found), step)


def test_the_command_prints_what_it_wrote(tmp_path, digits):
    run, _ = trained(tmp_path, digits)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["export", str(run.path), "--out", str(tmp_path / "there")]) == 0
    assert Path(out.getvalue().strip()).read_text().startswith("<!doctype html>")
