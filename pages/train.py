"""Choose settings, press Train, watch the model learn."""

from functools import partial

import streamlit as st

from dashboard import (
    access,
    exports,
    family,
    forms,
    live,
    palette,
    presets,
    state,
    uploads,
    words,
)
from infovae_core import catalogue, fits, runs, worker
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES

LETTERS = (
    r"$D$: distortion, $-\log p(x\mid z)$. "
    r"$R$: rate, $\mathrm{KL}(q(z\mid x)\,\|\,p(z))$. "
    r"$\hat I(x; z)$: estimated mutual information of x and its code. "
    r"$\mathrm{Div}$, $\mathrm{MMD}^2$: distance of the aggregated posterior $q(z)$ "
    "from the prior $p(z)$. In nats per item, but for $\\mathrm{MMD}^2$, $\\mathrm{KSD}^2$, "
    r"$\hat I_{\chi^2}$ and $\hat I_{\mathrm{H}}$ (of other divergences), which have no unit."
)
IDLE = 5  # seconds until a viewer's page looks for a first run
NOTHING = "Nothing is being trained here."

root = runs.default_root()
asked, run = state.run_in_view(root)


def start(config: RunConfig) -> runs.Run:
    """A new run, in the queue and in view."""
    new = runs.create(root, config)
    worker.launch(new)
    state.view(new)
    return new


def ask(request: str) -> None:
    """Leave a request with the run in view."""
    state.attempt(run.request, request)


def show(absent: str | None, now: str | None, data: str = "") -> None:
    """The live view of the run in view, or what it will show of `data`; or that one is `absent`."""
    state.say_refusal()
    if absent and run is None:
        st.warning(
            f"There is no run “{words.plain(words.short(absent, 60))}” here. It was deleted, or "
            "lies in another folder. Choose one from the list"
            f"{'' if access.viewer() else ', or press Train to start a new one'}.",
            icon=":material/search_off:",
        )
        state.link("All runs", state.RUNS)
    else:
        live.view(
            run.id if run else None,
            state=now,
            items=catalogue.SETS.get(data),
            elsewhere=f"Models are trained {access.ELSEWHERE}." if access.viewer() else "",
            palette=palette.ALL,
        )


def title() -> None:
    """What the run in view is."""
    line = state.summary(run)
    name = f"**{words.plain(words.short(line.label, 32))}** " if line.label else ""
    st.markdown(f"{name}{line.model} · {words.plain(line.setting)}", help=line.run.id)


@st.fragment(run_every=IDLE)
def wait() -> None:
    """Show the first run as soon as there is one."""
    if state.to_watch(root):
        st.rerun()


if access.viewer():
    run = run or (None if asked else state.to_watch(root))
    with st.container(horizontal=True, vertical_alignment="center"):
        if run is not None:
            title()
            exports.menu(run)
        st.caption(f"{access.REASON}.", width="content")
    show(asked, run.state if run else None)
    if run is None and not asked:
        wait()
    st.stop()

state.adopt(run)
with st.sidebar:
    uploads.take_up()
    look = uploads.Look()
    form = forms.Form(RunConfig, state.FORM, partial(fits.refusals, about=look.about))
    presets.menu(form, state.FORM)
    form.draw("data.name")
    unusable = uploads.panel(form, look)
    form.say_replaced("model")  # the data are why, and the model lies in a fold
    form.draw("objective")
    name = form.said("objective.name")
    kind, objective = OBJECTIVES[name], form.part("objective")
    formula = [f"{palette.chip(name)} **{kind.title}** minimises", words.formula(kind.formula)]
    if objective is not None and objective.latex() != kind.formula:
        formula.append(words.formula(rf"=\ {objective.latex()}"))
    st.markdown("  \n".join([*formula, f":small[{kind.source}]"]), help=LETTERS)
    family.plane(name, objective, state.objective(run), on_pick=state.choose)
    form.draw("model.latent_dim", "label")
    form.fold("Objective details", "objective")
    form.fold("Data", "data")
    form.fold("Network", "model")
    form.fold("Training", "training")

with st.container(horizontal=True, vertical_alignment="center"):
    reasons = dict.fromkeys([*form.errors.values(), *filter(None, [unusable])])
    wrong = "  \n".join(map(words.plain, reasons))
    pressed = st.button(
        "Train",
        key="train",
        type="primary",
        icon=":material/play_arrow:",
        disabled=form.value is None or bool(unusable),
        help=wrong or None,
    )
    if pressed and form.value is not None and not state.just_started(run, form.value):
        run = state.attempt(start, form.value) or run
    now = run.state if run else None
    busy = now in runs.ACTIVE
    moved = state.moved(form.value)
    pausing, stopping = (busy and run.requested(request) for request in ("pause", "stop"))
    if now in runs.RESUMABLE:
        st.button(
            "Resume",
            key="resume",
            icon=":material/resume:",
            on_click=state.attempt,
            args=(worker.launch, run),
            help="Go on from the last checkpoint.",
        )
    else:
        st.button(
            "Pausing" if pausing else "Pause",
            key="pause",
            icon=":material/pause:",
            disabled=not busy or pausing,
            on_click=ask,
            args=("pause",),
            help="Keep a checkpoint and make way for the next run." if busy else NOTHING,
        )
    st.button(
        "Stopping" if stopping else "Stop",
        key="stop",
        icon=":material/stop:",
        disabled=not busy or stopping,
        on_click=ask,
        args=("stop",),
        help="End the run here. It keeps a checkpoint and can be resumed." if busy else NOTHING,
    )
    turnable = now in state.TURNABLE
    # Always there, so that pressing Train moves nothing and loads no widget.
    at_once = st.toggle(
        "Live knobs",
        key="live knobs",
        disabled=not turnable,
        persist_state="session",
        help=f"{'' if turnable else f'{NOTHING} '}Settings that can be turned while a model trains "
        "(its objective's numbers, the kernel, the learning rates) reach it as soon as they change "
        "in the form.",
    )
    if turnable:
        changes = state.turning(run, form.value)
        if changes and at_once and moved:
            state.follow(run, moved)
            changes = state.turning(run, form.value)
        if form.value is None:
            st.button(
                "Turn",
                key="turn",
                icon=":material/tune:",
                disabled=True,
                help=f"A setting in the form is wrong. {wrong}",
            )
        elif changes:
            one = len(changes) == 1
            st.button(
                f"Turn {words.changes(changes) if one else f'{len(changes)} knobs'}",
                key="turn",
                icon=":material/tune:",
                on_click=state.turn,
                args=(run, form.value),
                help=f"In the model that is training: {words.plain(words.changes(changes))}.",
            )
        elif state.differs(run, form.value) and not state.waiting(run):
            st.button(
                "Turn",
                key="turn",
                icon=":material/tune:",
                disabled=True,
                help="The form differs from this run in more than its knobs (the numbers of the "
                "same objective, the kernel, the learning rates): press Train for another run.",
            )
    if run is not None:
        title()
        if turnable and (asked_for := state.waiting(run)):
            st.markdown(f":small[:material/schedule: {words.plain(words.changes(asked_for))}]")
        if state.differs(run, form.value):
            st.button(
                "Copy settings",
                key="copy",
                type="tertiary",
                icon=":material/content_copy:",
                on_click=state.attempt,
                args=(state.copy, run),
                help="Put the settings of this run into the form.",
            )
        exports.menu(run)

show(asked, now, form.said("data.name"))
