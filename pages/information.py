"""Estimators of mutual information where the truth is known, and the units that carry any."""

import streamlit as st

from dashboard import comparison, information, palette, state, words
from dashboard import study as live
from dashboard import units as components
from dashboard.sliders import slide
from infovae_core import runs
from infovae_core.studies import BoundStudy, PointStudy

BOUNDS = r"""$u = q(x, z)/p(x)\,q(z)$; $\tilde t$ is the critic at pairs drawn apart.
- f-dual: $\mathbb E[t] - \mathbb E[e^{\tilde t - 1}]$, tight at $t = 1 + \log u$
- Donsker–Varadhan, MINE: $\mathbb E[t] - \log \mathbb E[e^{\tilde t}]$, tight at $t = \log u + c$
- InfoNCE: $\mathbb E\big[t_{ii} - \log \tfrac1B \sum_j e^{t_{ij}}\big]$, tight at
  $t = \log u + c(x)$ for large $B$"""
EMPIRICAL = r"""$\hat I = \frac1N \sum_i \Big[\log q(z_i|x_i) - \log \frac1N \sum_j q(z_i|x_j)\Big]
\le \log N$, with $z_i$ drawn from $q(z|x_i)$"""
UNITS = r"""$\mathrm{AU} = \#\{j : \mathrm{Var}_x\, \mathbb E[z_j|x] \ge \varepsilon\}$ over
held-out data; Burda et al. 2016 take $\varepsilon = .01$."""

root = runs.default_root()
state.came_from("information")


def bounds() -> None:
    """Critics that learn, live."""
    with st.sidebar:
        said = {
            name: slide(BoundStudy, name, "bounds") for name in ("dimension", "rho", "batch_size")
        }
        formula = st.empty()
        with st.expander("Critic", type="compact"):
            names = ("width", "learning_rate", "steps")
            said |= {name: slide(BoundStudy, name, "bounds") for name in names}
    study = BoundStudy(**said)
    formula.markdown(words.formula(information.formula(study)))
    explain(
        "Two Gaussian vectors x and z whose mutual information is known, so that estimates can be "
        "judged. Four critics learn from the same fresh pairs, one for each bound; bands are one "
        "standard deviation from batch to batch. **Try** ρ = .99 at D = 20: of 39 nats InfoNCE "
        "shows log B, the f-dual a few. Or B = 16, where Donsker–Varadhan runs away.",
        help=BOUNDS,
    )
    show(study, information.bounds(study))


def points() -> None:
    """The empirical estimate, for more and more points."""
    with st.sidebar:
        said = {name: slide(PointStudy, name, "points") for name in ("information", "dimension")}
        study = PointStudy(**said)
        st.markdown(words.formula(information.formula(study)))
    explain(
        "A linear encoder of known information, and what one reads off N encoded points: the "
        "estimate by which runs are judged. It is a mean over several draws of N points; the band "
        "is one standard deviation. **Try** I = 10: even 10,000 points, log N = 9.2, cannot show "
        "it. Or the same I in more dimensions, where the estimate comes up more slowly.",
        help=EMPIRICAL,
    )
    show(study, information.points(study))


def explain(text: str, help: str) -> None:
    """What a part is about; a lecturer says it, and has the plots only."""
    with st.container(key="words"):
        st.markdown(text, help=help)


def show(study: BoundStudy | PointStudy, view: dict) -> None:
    """The study, which starts or goes on by being looked at."""
    run = state.look(information.ask, study)  # which looks itself who asks
    state.say_refusal()
    if run is not None:
        live.view(run.id, run.state, key=f"study.{study.study}", **view)


def units() -> None:
    """How much each unit of a run says of the data."""
    lines = {line.run.id: line for line in state.summaries(root) if not line.problem}
    if not lines:
        state.say_no_runs(
            "its units appear here: one box for each of the latent dimensions", ":material/list:"
        )
        return
    listed = comparison.choices(lines.values())
    with st.sidebar:
        absent = state.one_in_view("units.run", "information", list(lines))
        id = st.selectbox(
            "Run",
            list(lines),
            format_func=lambda id: listed.get(id, id),
            key="units.run",
            persist_state="session",
        )
        state.view(lines[id].run)
        drawn = st.segmented_control(
            "E[z|x] taken from",
            [False, True],
            default=False,
            format_func=lambda drawn: f"{information.DRAWS} draws" if drawn else "the mean μ(x)",
            required=True,
            key="units.drawn",
            help="The encoder gives the mean itself. Draws are here to show what they spoil.",
            bind="query-params",
            width="stretch",
        )
    explain(
        "Each box is a latent unit, placed by how far its mean moves from item to item. A "
        "collapsed unit tells every item the same: its box stands at the left. Move the "
        "threshold, and the count of active units follows. **Try** 20 draws in place of the mean: "
        "a collapsed unit's draws come from the prior, their average has variance 1/20 = .05, and "
        "at that threshold dead units pass for active.",
        help=UNITS,
    )
    state.say_absent(absent)
    line = lines[id]
    st.fragment(histogram, run_every=2 if line.state in runs.ACTIVE else None)(line, drawn)


def histogram(line: state.Summary, drawn: bool) -> None:
    """The units of the newest snapshot."""
    found = information.unit_variances(line.run, information.DRAWS if drawn else None)
    if found is None:
        st.info("This run has no snapshot yet; it leaves one soon after it starts.")
        return
    step, variances = found
    components.histogram(
        variances,
        marks=information.MARKS,
        color=palette.OBJECTIVES.get(line.objective.get("name"), palette.NEUTRAL),
        stamp=f"step {words.number(step)}",
        key="units",
    )
    counts = (
        f"{information.active(variances, mark['value'])} at {words.number(mark['value'])}"
        for mark in information.MARKS
    )
    st.caption(f"Active of {len(variances)} units: {', '.join(counts)}.")


PARTS = {"Bounds by a critic": bounds, "Number of points": points, "Active units": units}
part = st.segmented_control(
    "Part",
    list(PARTS),
    default="Bounds by a critic",
    required=True,
    key="part",
    bind="query-params",
    label_visibility="collapsed",
)
PARTS[part]()
