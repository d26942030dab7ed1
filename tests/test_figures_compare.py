"""Figures of the page Compare: how many traces, in which colours, at which places."""

import numpy as np
import pytest

from dashboard import palette
from dashboard.comparison import Cloud, Curve, Path
from dashboard.figures import compare as figures

LOOKS = palette.looks(["VAE", "BetaVAE", "VAE"])


def curve(i, split="train", count=100):
    x = np.arange(1.0, count + 1)
    return Curve(f"run {i}", LOOKS[i], split, x, 100 / x + i)


def path(i, x, y, errors=None):
    x, y = np.array(x, dtype=float), np.array(y, dtype=float)
    return Path(f"run {i}", LOOKS[i], np.arange(len(x)) + 1.0, x, y, errors)


def over_time(curves, **more):
    return figures.over_time(curves, label="rate R", unit="nats per image", clock="epoch", **more)


def test_a_curve_keeps_its_data_its_colour_and_its_marker():
    curves = [curve(i, split) for i in range(3) for split in ("train", "test")]
    drawn = over_time(curves).data
    assert len(drawn) == 6
    for trace, given in zip(drawn, curves, strict=True):
        np.testing.assert_array_equal(trace.x, given.x)
        np.testing.assert_array_equal(trace.y, given.y)
        assert trace.line.color == trace.marker.color == given.look.colour
        assert trace.marker.symbol == given.look.marker
        assert trace.line.dash == {"train": "solid", "test": "dash"}[given.split]
    assert [trace.showlegend for trace in drawn] == [True, False] * 3  # one entry for a run
    assert len({(trace.marker.symbol, trace.marker.color) for trace in drawn}) == 3


def test_axes_say_quantity_and_unit_and_leave_out_how_it_began():
    figure = over_time([curve(0)])
    assert figure.layout.yaxis.title.text == "rate R (nats per image)"
    assert figure.layout.xaxis.title.text == "epoch"
    low, high = figure.layout.yaxis.range
    assert low < 1 < 25 < high < 30  # after 4 %: from 25 to 1
    assert over_time([curve(0)], logarithmic=True).layout.yaxis.type == "log"
    assert over_time([]).layout.yaxis.title.text == "rate R (nats per image)"


def sums(figure):
    """The lines of a constant sum: their level, as it is written, and their points."""
    return {
        float(trace.text[0].rpartition("= ")[2]): (np.array(trace.x), np.array(trace.y))
        for trace in figure.data
        if "lines+text" in trace.mode
    }


@pytest.mark.parametrize(
    ("paths", "least"),
    [
        ([path(0, [0, 10], [200, 90]), path(1, [0, 20], [200, 85])], 4),
        ([path(0, [0.001], [0.002])], 2),
        ([path(0, [-0.5, 1.5], [-0.01, 3])], 4),
        ([path(0, [np.nan, 1.0], [2.0, np.nan])], 1),
    ],
)
@pytest.mark.parametrize("draw", [figures.rate_distortion, figures.information])
def test_along_a_dotted_line_the_sum_is_what_is_written(draw, paths, least):
    figure = draw(paths)
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    lines = sums(figure)
    assert len(lines) >= least
    for level, (x, y) in lines.items():
        np.testing.assert_allclose(x + y, level, atol=1e-9 + 5e-4 * abs(level))
        assert (x >= left - 1e-9).all()
        assert (x <= right + 1e-9).all()
        assert (y >= bottom - 1e-9).all()
        assert (y <= top + 1e-9).all()


def test_a_path_ends_in_a_marker_with_its_name():
    paths = [path(0, [0, 1, 2], [9, 8, 7]), path(2, [0, 2, 4], [9, 7, 5], errors=(0.1, 0.2))]
    figure = figures.rate_distortion(paths)
    trails = [t for t in figure.data if t.mode == "lines+markers"]
    ends = [t for t in figure.data if t.mode == "markers"]
    for given, trail, end, name in zip(paths, trails, ends, figure.layout.annotations, strict=True):
        np.testing.assert_array_equal(trail.x, given.x)
        np.testing.assert_array_equal(trail.y, given.y)
        np.testing.assert_allclose(trail.customdata[:, 1], given.x + given.y)
        assert (end.x[0], end.y[0]) == (name.x, name.y) == (given.x[-1], given.y[-1])
        assert end.marker.symbol == given.look.marker
        assert trail.line.color == end.marker.color == given.look.colour
        assert name.text == given.name
    assert ends[0].error_x.array is None
    assert (ends[1].error_x.array[0], ends[1].error_y.array[0]) == (0.1, 0.2)
    wide = figures.information([path(0, [1], [1], errors=(5, 7))]).layout
    assert (wide.xaxis.range[0] < -4, wide.xaxis.range[1] > 6) == (True, True)
    assert (wide.yaxis.range[0] < -6, wide.yaxis.range[1] > 8) == (True, True)


def test_names_of_ends_at_one_place_do_not_cover_each_other():
    figure = figures.rate_distortion([path(i, [0, 1], [5, 4]) for i in range(3)])
    heights = sorted(annotation.ay for annotation in figure.layout.annotations)
    assert np.diff(heights).min() >= figures.LINE


def test_a_plane_without_paths_is_empty():
    assert len(figures.rate_distortion([]).data) == 0


def test_codes_are_drawn_by_class_on_the_same_axes():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    clouds = [
        Cloud(
            f"run {i}",
            LOOKS[i],
            ("z₁", "z₂"),
            *random.normal(size=(2, 60)) * (i + 1),
            labels,
            "abc",
        )
        for i in range(3)
    ]
    figure = figures.codes(clouds)
    assert len(figure.data) == 9
    assert [trace.showlegend for trace in figure.data] == [True] * 3 + [False] * 6
    for trace, (cloud, label) in zip(
        figure.data, ((cloud, label) for cloud in clouds for label in range(3)), strict=True
    ):
        np.testing.assert_array_equal(trace.x, cloud.x[labels == label])
        np.testing.assert_array_equal(trace.y, cloud.y[labels == label])
        assert trace.marker.color == palette.CLASSES[label]
        assert trace.name == "abc"[label]
    axes = [figure.layout[name] for name in ("xaxis", "xaxis2", "xaxis3", "yaxis", "yaxis2")]
    assert len({axis.range for axis in axes}) == 1
    assert max(abs(clouds[2].x).max(), abs(clouds[2].y).max()) < axes[0].range[1]
    assert len(figure.layout.shapes) == 6  # the prior at 1σ and 2σ on each


@pytest.mark.parametrize("format", ["svg", "png"])
def test_a_figure_is_saved_as_a_picture_or_as_a_page_of_its_own(format):
    assert figures.camera("curves", format)["toImageButtonOptions"]["format"] == format
    assert "toImage" in figures.without_camera()["modeBarButtonsToRemove"]
    page = figures.html(over_time([curve(0)]), "curves", "Rate over epochs", format)
    assert f'"format": "{format}"' in page
    page = figures.html(over_time([curve(0)]), "curves", "Rate over epochs")
    assert "<script src" not in page
    assert "<title>Rate over epochs</title>" in page
    assert len(page) > 1_000_000  # plotly itself is in it


def test_a_name_has_no_power_over_the_figure():
    named = curve(0)._replace(name="a <b>c</b>")
    assert over_time([named]).data[0].name == "a &lt;b>c&lt;/b>"
