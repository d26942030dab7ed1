"""Runs side by side: their metrics, their codes, their curves, what they pay and what they get."""

from dataclasses import replace

import streamlit as st

from dashboard import (
    access,
    choosing,
    comparison,
    contenders,
    evaluations,
    experiments,
    grid,
    planes,
    present,
    scores,
    state,
    tables,
    words,
)
from dashboard.figures import compare as figures
from infovae_core import runs
from infovae_core.config import RunConfig

CHOSEN, FORM, LEFT_OUT = "compare.runs", "compare.form", "compare.left out"
IDLE = 5  # seconds until a page at rest looks whether others have something done with its runs
MOST = 12  # runs at once: as many as there are markers
EXPORTS = {
    "CSV": (tables.to_csv, "csv"),
    "LaTeX": (tables.to_latex, "tex"),
    "Markdown": (tables.to_markdown, "md"),
}
root = runs.default_root()
dark = st.context.theme.type == "dark"
state.settle("compare")


def train(configs: list[RunConfig]) -> None:
    """Queue them, and compare them from now on; a second click says nothing new."""
    newest = next(iter(runs.list_runs(root)), None)
    if not state.just_started(newest, configs[-1]):
        created = state.attempt(experiments.launch, root, configs)
        st.session_state[CHOSEN] = [run.id for run in created or []]
        st.session_state[FORM] = not created


def figure(drawn: object, name: str, title: str, alt: str, numbers: list[list]) -> None:
    """A figure, and buttons that save it as a page of its own and as numbers."""
    picture = st.session_state.get("compare.picture") or "svg"
    if present.asked():
        figures.enlarge(drawn)
    config = figures.without_camera() if dark else figures.camera(name, picture)
    st.plotly_chart(drawn, key=name, config=config, alt=alt)
    with st.container(horizontal=True):
        save("HTML", lambda: figures.html(drawn, name, title, picture), f"{name}.html")
        save("CSV", lambda: tables.rows_to_csv(numbers), f"{name}.csv")


def save(label: str, content: object, name: str) -> None:
    """A button that saves a file."""
    icon = ":material/download:"
    st.download_button(
        label, content, name, key=f"save.{name}", on_click="ignore", type="tertiary", icon=icon
    )


lines = state.summaries(root)
ids = choosing.choose(root, lines, "compare", MOST, label="Runs to compare", begun=False)
state.say_refusal()
if access.viewer():
    st.caption(f"{access.REASON}: neither does it train or evaluate any.")
if not ids:
    more = "" if access.viewer() else ", or train several objectives now"
    st.info(
        f"Choose runs above{more}: they appear here while they train.",
        icon=":material/compare_arrows:",
    )
if not access.viewer():
    with st.expander(
        "Train objectives on the same data, seed and batches",
        expanded=not ids,
        icon=":material/model_training:",
        key=FORM,
        on_change="rerun",
    ) as form:
        if form.open:
            contenders.draw(root, ids, train)
if not ids:
    st.stop()

chosen = [runs.Run(root / id) for id in ids]
compared = comparison.entries(chosen)
busy = bool(evaluations.bars(compared))
resting = evaluations.resting(compared)
following = busy and st.session_state.get("compare.follow", True)


@st.fragment(run_every=1 if busy else IDLE)
def progress() -> None:
    """How far the runs are that train, wait or are evaluated.

    The page runs again as one ends, and where another viewer or the shell has begun it.
    """
    now = comparison.entries(chosen)
    if evaluations.progress(now) != busy or evaluations.resting(now) != resting:
        st.rerun()


@st.fragment(run_every=3 if busy else None)
def metrics() -> None:
    """The table, and its exports."""
    compared = comparison.entries(chosen)
    everything = scores.table(compared)
    table = everything.without(st.session_state.get(LEFT_OUT, ()))
    order = table.order(grid.sorted_by("table"))
    table = replace(table, rows=[table.rows[i] for i in order])
    looks = [compared[i].look for i in order]
    if present.asked():
        with st.container(key="scores"):
            st.markdown(tables.to_slide(table, [look.glyph for look in looks]))
        return
    grid.show(table, looks, key="table")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{grid.BEST}best of its column · {tables.MARKS} · press a head to sort")
        with st.popover("Columns", type="tertiary"):
            titles = {column.name: column.head for column in everything.columns}
            st.pills(
                "Leave out, also of what is saved",
                list(titles),
                selection_mode="multi",
                key=LEFT_OUT,
                format_func=lambda name: titles.get(name, name),
                persist_state="session",
            )
        for name, (write, ending) in EXPORTS.items():
            save(name, write(table), f"comparison.{ending}")
    if scores.kernels_differ(compared, table):
        st.caption(
            "The runs differ in d, and kernels are wider where d is larger: their MMD² and Stein "
            "discrepancies do not compare."
        )
    if notes := table.notes():
        with st.expander("What the numbers leave out", type="compact"):
            for titles, names, note in notes:
                st.markdown(
                    f":small[**{words.plain(titles)}** ({words.plain(names)}): {words.plain(note)}]"
                )


@st.fragment(run_every=5 if following else None)
def curves() -> None:
    """A quantity over time."""
    compared = comparison.entries(chosen)
    known = comparison.quantities(compared)
    if not known:
        st.info("Nothing logged yet.", icon=":material/hourglass_empty:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        quantity = st.selectbox(
            "Quantity",
            list(known),
            key="quantity",
            bind="query-params",
            format_func=lambda name: known[name][0],
            width=300,
        )
        clocks = list(comparison.CLOCKS)
        clock = st.segmented_control(
            "Over", clocks, default="epoch", key="clock", required=True, bind="query-params"
        )
        splits = st.segmented_control(
            "Split",
            comparison.SPLITS,
            default=comparison.SPLITS,
            selection_mode="multi",
            key="splits",
            bind="query-params",
        )
        logarithmic = st.toggle(
            "Logarithmic",
            key="logarithmic",
            bind="query-params",
            help="Values at or below 0 are left out.",
        )
    label, unit = known[quantity]
    drawn = comparison.curves(compared, quantity, clock, splits)
    figure(
        figures.over_time(
            drawn,
            label=label,
            unit=unit,
            clock=comparison.CLOCKS[clock],
            logarithmic=logarithmic,
        ),
        "curves",
        f"{label} over {comparison.CLOCKS[clock]}",
        f"{label} of {len(compared)} runs over {comparison.CLOCKS[clock]}",
        comparison.curve_rows(drawn, comparison.CLOCKS[clock], label),
    )


@st.fragment(run_every=5 if following else None)
def balances() -> None:
    """What is paid against what is got."""
    compared = comparison.entries(chosen)
    left, right = st.columns(2, gap="medium")
    with left:
        paths = comparison.paths(compared, "rate", "distortion")
        title = "Distortion against rate"
        alt = f"{title}: {comparison.ends(paths)}"
        rows = comparison.path_rows(paths, "rate", "distortion")
        figure(figures.rate_distortion(paths), "rate-distortion", title, alt, rows)
    with right:
        points = comparison.surgery(compared)
        if points:
            title = "Mutual information against marginal KL"
            alt = f"{title}: {comparison.ends(points)}"
            rows = comparison.path_rows(points, "marginal KL", "mutual information")
            figure(figures.information(points), "information", title, alt, rows)
        else:
            st.info(
                "Nothing known of $I(x; z)$ and $\\mathrm{KL}(q(z)\\,\\|\\,p(z))$ yet: press "
                "Evaluate.",
                icon=":material/straighten:",
            )


progress()
if busy:
    st.toggle(
        "Draw the figures anew as runs go on",
        value=True,
        key="compare.follow",
        persist_state="session",
        help="Turn it off to keep a zoom.",
    )
evaluations.say_failures(compared)
with st.container(horizontal=True, vertical_alignment="center"):
    st.markdown("#### Metrics on held-out data", width="content")
    if not access.viewer():
        evaluations.draw(compared)
if shared := " · ".join(f"{name} {fact}" for name, fact in scores.common(compared).items()):
    st.caption(words.plain(f"All runs: {shared}"))
if differing := scores.disagreements(compared):
    st.warning(
        f"The runs differ in {' and '.join(differing)}: their distortions and likelihoods do not "
        "compare, and none is marked as the best.",
        icon=":material/balance:",
    )
metrics()
st.markdown("#### Where the encoders put the same items")
planes.show(compared, key="planes")
save(
    "HTML",
    lambda: figures.html(
        figures.codes(comparison.clouds(compared)),
        "codes",
        "Latent planes",
        st.session_state.get("compare.picture") or "svg",
    ),
    "codes.html",
)
st.markdown("#### Over time")
curves()
st.markdown(
    "#### What is paid, and what for",
    help=r"Left: $\mathrm{ELBO} = -(D + R)$ is the same along a dotted line. Right: the rate pays "
    r"for information and for the mismatch of all codes with the prior, "
    r"$R = I(x; z) + \mathrm{KL}(q(z)\,\|\,p(z))$, which is the same along a dotted line.",
)
balances()
st.segmented_control(
    f"The camera {'in a saved HTML page' if dark else 'above a figure'} saves it as",
    ["svg", "png"],
    default="svg",
    key="compare.picture",
    required=True,
    format_func=str.upper,
)
