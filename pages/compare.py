"""Runs side by side: their metrics, their curves, their codes, what they pay and what they get."""

import streamlit as st

from dashboard import comparison, experiments, forms, grid, state, tables, words
from dashboard.figures import compare as figures
from dashboard.live import planes
from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES

CHOSEN = "compare.runs"
CONTENDERS = "compare.contenders"  # keys of the forms of objectives to train
MOST = 12  # runs compared at once: as many as there are markers
FORM = "form"  # stands for the settings of the page Train

root = runs.default_root()
state.settle("compare")
absent = state.runs_in_view(root, CHOSEN)


def pick(ids: list[str]) -> None:
    """Compare these runs from now on."""
    st.session_state[CHOSEN] = ids


def describe(id: str) -> str:
    """A run as the list of choices names it."""
    line = state.summary(runs.Run(root / id))
    objective = " ".join(words.objective(line.objective)).strip()
    when = "" if line.label else words.ago(line.age)
    parts = (words.short(line.label, 40), objective, line.data, when)
    return " · ".join(filter(None, parts))


# Training several objectives.


def base_settings(source: str) -> RunConfig | None:
    """The settings that are trained with; None where they are wrong."""
    if source == FORM:
        return forms.Form(RunConfig, state.FORM).value
    return state.settings(runs.Run(root / source))


def contenders() -> list[str]:
    """The keys of the forms of the objectives to be trained: at first, one for each kind."""
    if CONTENDERS not in st.session_state:
        st.session_state[CONTENDERS] = []
        for kind in OBJECTIVES.values():
            add(experiments.Contender(objective=kind()))
    return st.session_state[CONTENDERS]


def add(contender: experiments.Contender) -> None:
    """One more objective to train."""
    number = st.session_state["contenders made"] = st.session_state.get("contenders made", 0) + 1
    forms.fill(f"contender.{number}", contender)
    st.session_state[CONTENDERS].append(f"contender.{number}")


def train() -> None:
    """Queue what the forms say, and compare it from now on."""
    objectives = [forms.Form(experiments.Contender, key).value.objective for key in contenders()]
    configs = experiments.side_by_side(
        base_settings(st.session_state["compare.base"]),
        objectives,
        int(st.session_state["compare.repeats"]),
        st.session_state["compare.prefix"],
    )
    newest = next(iter(runs.list_runs(root)), None)
    if not state.just_started(newest, configs[-1]):  # a second click
        created = state.attempt(experiments.launch, root, configs)
        pick([run.id for run in created or []])


def training() -> None:
    """Which objectives to train, with which settings."""
    keys = contenders()
    drawn = []
    for start in range(0, len(keys), 4):
        for cell, key in zip(st.columns(4), keys[start : start + 4], strict=False):
            with cell.container(border=True):
                form = forms.Form(experiments.Contender, key)
                form.draw("objective")
                form.fold("Details", "objective")
                drawn.append(form)
                if len(keys) > 1:
                    st.button(
                        "Remove",
                        key=f"remove.{key}",
                        type="tertiary",
                        icon=":material/close:",
                        on_click=keys.remove,
                        args=(key,),
                    )
    st.button(
        "Add an objective",
        key="add",
        type="tertiary",
        icon=":material/add:",
        on_click=add,
        args=(experiments.Contender(),),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.selectbox(
            "All other settings",
            [FORM, *st.session_state[CHOSEN]],
            key="compare.base",
            format_func=lambda id: "as on the page Train" if id == FORM else f"as {describe(id)}",
            width=420,
        )
        repeats = st.number_input(
            "Seeds",
            min_value=1,
            max_value=20,
            key="compare.repeats",
            width=120,
            help="Runs of each objective. Those of one seed begin with the same weights and see "
            "the same batches in the same order.",
        )
        st.text_input("Label begins with", "comparison", key="compare.prefix", width=220)
        base = base_settings(source)
        sound = base is not None and all(form.value for form in drawn)
        count = len({form.value for form in drawn}) * int(repeats)
        st.button(
            f"Train {count} runs" if count > 1 else "Train 1 run",
            key="train",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not sound,
            on_click=train,
            help=None if sound else "A setting is wrong, here or on the page Train.",
        )
    if base is not None:
        st.caption(words.plain(experiments.describe(base)))


# The page.

everything = [run.id for run in runs.list_runs(root)]
with st.container(horizontal=True, vertical_alignment="bottom"):
    ids = st.multiselect(
        "Runs to compare",
        everything,
        key=CHOSEN,
        format_func=describe,
        max_selections=MOST,
        placeholder="Choose by label, objective or data",
        disabled=not everything,
    )
state.view_runs(ids)
state.say_refusal()
if absent:
    names = ", ".join(words.plain(words.short(id, 60)) for id in absent)
    st.warning(f"Not here, deleted or in another folder: {names}.", icon=":material/search_off:")

with st.expander(
    "Train objectives side by side, on the same data, seed and batches",
    expanded=not ids,
    icon=":material/model_training:",
):
    training()

if not ids:
    st.info(
        "Choose two or more runs above, or train a set of objectives; they appear here while they "
        "train.",
        icon=":material/compare_arrows:",
    )
    st.stop()

chosen = [runs.Run(root / id) for id in ids]
busy = any(run.state in runs.ACTIVE for run in chosen)


@st.fragment(run_every=1 if busy else None)
def progress() -> None:
    """How far the runs are that train or wait."""
    active = [entry for entry in comparison.entries(chosen) if entry.summary.state in runs.ACTIVE]
    if busy and not active:
        st.rerun()
    for start in range(0, len(active), 4):
        for cell, entry in zip(st.columns(4), active[start : start + 4], strict=False):
            status = entry.summary.status
            share = (status["step"] or 0) / (status["steps"] or 1)
            said = f"epoch {words.number(status['epoch'])}" if share else entry.summary.state
            cell.progress(min(share, 1.0), f":small[{words.plain(entry.title)} · {said}]")


@st.fragment(run_every=3 if busy else None)
def metrics() -> None:
    """The table, and its exports."""
    compared = comparison.entries(chosen)
    table = comparison.table(compared)
    grid.show(table, [entry.look for entry in compared], key="table")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "★ best of its column · ⊤ as high as the estimator can get · "
            "* measured before training went on"
        )
        for name, write, ending in (
            ("CSV", tables.to_csv, "csv"),
            ("LaTeX", tables.to_latex, "tex"),
            ("Markdown", tables.to_markdown, "md"),
        ):
            st.download_button(
                name,
                write(table),
                f"comparison.{ending}",
                key=f"save.{ending}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def figure(drawn: object, name: str, alt: str) -> None:
    """A figure, and a button that saves it as a page of its own."""
    st.plotly_chart(drawn, key=name, config=figures.camera(name, "svg"), alt=alt)
    st.download_button(
        "HTML",
        lambda: figures.html(drawn, name),
        f"{name}.html",
        key=f"save.{name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


@st.fragment(run_every=5 if busy else None)
def curves() -> None:
    """A quantity over time."""
    compared = comparison.entries(chosen)
    known = comparison.quantities(compared)
    if not known:
        st.info("Nothing logged yet.", icon=":material/hourglass_empty:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        quantity = st.selectbox(
            "Quantity", list(known), key="compare.quantity", format_func=lambda n: known[n][0]
        )
        clock = st.segmented_control(
            "Over", list(comparison.CLOCKS), default="epoch", key="compare.clock", required=True
        )
        splits = st.segmented_control(
            "Images",
            comparison.SPLITS,
            default=comparison.SPLITS,
            selection_mode="multi",
            key="compare.splits",
        )
        logarithmic = st.toggle("Logarithmic", key="compare.log")
    label, unit = known[quantity]
    drawn = comparison.curves(compared, quantity, clock, splits)
    figure(
        figures.over_time(
            drawn, label=label, unit=unit, clock=comparison.CLOCKS[clock], logarithmic=logarithmic
        ),
        "curves",
        f"{label} over {comparison.CLOCKS[clock]} of {len(compared)} runs",
    )


@st.fragment(run_every=5 if busy else None)
def balances() -> None:
    """What is paid against what is got."""
    compared = comparison.entries(chosen)
    left, right = st.columns(2)
    with left:
        figure(
            figures.rate_distortion(comparison.paths(compared, "rate", "distortion")),
            "rate-distortion",
            "Rate against distortion",
        )
    with right:
        figure(
            figures.information(comparison.surgery(compared)),
            "information",
            "Mutual information against marginal KL",
        )


progress()
st.markdown("#### Metrics")
metrics()
st.markdown("#### Latent planes")
planes.show(comparison.entries(chosen), key="planes")
st.markdown("#### Over time")
curves()
st.markdown("#### What is paid and what is got")
balances()
