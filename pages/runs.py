"""Every run: open it, rename, resume, repeat or delete it, or compare some."""

import streamlit as st

from dashboard import access, comparison, state, words
from infovae_core import runs, worker

ICONS = {
    "queued": "hourglass_empty",
    "running": "play_circle",
    "paused": "pause_circle",
    "finished": "check_circle",
    "stopped": "stop_circle",
    "failed": "error",
    "interrupted": "power_off",
}
COLUMNS = {  # and their relative widths
    "": 0.3,
    "State": 1.3,
    "Run": 2.2,
    "Objective": 2.2,
    "Data": 1.1,
    "Begun": 1.1,
    "Epochs": 1.2,
    "Latest on test data": 4.1,
    " ": 0.7,
}
# A menu says to screen readers whose it is. Where Streamlit would stack the columns, each run is a
# card, and what needs its head carries it.
STYLE = """<style>
.st-key-lines .stMenuButton [data-testid="stMarkdownContainer"] {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
@media (max-width: 640px) {
  .st-key-heads { display: none; }
  .st-key-lines [data-testid="stHorizontalBlock"] {
    flex-wrap: wrap;
    gap: 2px 14px;
    padding: 4px 0 8px;
    border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  }
  .st-key-lines [data-testid="stColumn"] { flex: none; width: auto; min-width: 0; max-width: 100%; }
  .st-key-lines [data-testid="stColumn"]:nth-child(6)::before { content: "Begun "; }
  .st-key-lines [data-testid="stColumn"]:nth-child(7)::before { content: "Epochs "; }
  .st-key-lines [data-testid="stColumn"]:nth-child(8)::before { content: "Test "; }
  .st-key-lines [data-testid="stColumn"]:nth-child(n + 6):not(:last-child) {
    display: flex;
    align-items: baseline;
    gap: 4px;
    font-size: 14px;
  }
  .st-key-lines [data-testid="stColumn"]:nth-child(n + 6)::before { opacity: 0.65; }
}
</style>"""
TICKED = "ticked."  # and the id: the box of a run that is to be compared
LINES = 12  # on a page of the list

root = runs.default_root()
state.came_from("runs")


@st.dialog("Rename the run")
def rename(run: runs.Run) -> None:
    """Ask for a label."""
    field = f"label.{run.id}"
    st.text_input("Label", run.label, max_chars=200, key=field, placeholder=run.id)

    def save() -> None:
        state.attempt(run.rename, st.session_state[field])

    if st.button("Save", key="save", type="primary", on_click=save):
        st.rerun()


@st.dialog("Delete the run?")
def delete(run: runs.Run) -> None:
    """Ask whether it may go, or say why it may not."""
    line = state.summary(run)
    name = f"**{words.plain(line.name)}**"
    if line.state in runs.ACTIVE:
        st.markdown(f"{name} is {line.state}. A run must be at rest to be deleted; stop it first.")
        return
    st.markdown(f"{name} goes for good, with its curves, snapshots and checkpoint.")
    args = (run.delete,)
    if st.button("Delete", key="delete", type="primary", on_click=state.attempt, args=args):
        st.rerun()


def act(wish: str, id: str) -> None:
    """Do what the menu of a line was asked for."""
    run = state.find(root, id)
    if run is None:
        return  # another viewer was faster
    match wish:
        case "Rename":
            rename(run)
        case "Resume":
            state.attempt(worker.launch, run)
        case "Repeat":
            state.attempt(state.repeat, run)
        case "Stop":
            state.attempt(run.request, "stop")
        case "Delete":
            delete(run)


def show(line: state.Summary) -> None:
    """One line of the list."""
    box, first, second, *widths, last = COLUMNS.values()
    if line.problem:
        cells = st.columns((box, first, second, sum(widths), last), vertical_alignment="center")
        said = [":material/broken_image: unreadable", words.plain(line.problem)]
    else:
        cells = st.columns((box, first, second, *widths, last), vertical_alignment="center")
        done, planned = line.status["epoch"], line.status["epochs"]
        said = [
            f":material/{ICONS[line.state]}: {line.state}",
            line.model,
            words.plain(line.setting),
            words.ago(line.age),
            f"{words.number(done)} of {words.number(planned)}" if planned else "–",
            news(line),
        ]
    id = line.run.id
    cells[0].checkbox(
        f"Compare {words.label(line.name)}",
        key=f"{TICKED}{id}",
        label_visibility="collapsed",
        disabled=bool(line.problem),
        persist_state="session",
    )
    with cells[2]:
        label = words.plain(words.short(line.name, 27))
        state.link(label, state.TRAIN, help=words.plain(f"{line.name} ({id})"), run=id)
    for cell, text in zip((cells[1], *cells[3:-1]), said, strict=True):
        cell.markdown(f":small[{text}]")
    wishes = ["Rename", "Delete"] if line.problem else ["Rename", "Repeat", "Delete"]
    if line.state in runs.ACTIVE:
        wishes.insert(1, "Stop")
    elif line.state in runs.RESUMABLE and not line.problem:
        wishes.insert(1, "Resume")
    if access.viewer():
        return
    if wish := cells[-1].menu_button(
        f"Edit {words.label(line.name)}",
        wishes,
        key=f"menu.{id}",
        type="tertiary",
        icon=":material/edit:",
    ):
        st.session_state["wish"] = (wish, id)
        st.rerun()


def news(line: state.Summary) -> str:
    """The newest test values, or why there will be no more."""
    if line.state == "failed":
        return words.plain(words.short(str(line.status["error"]), 150))
    usual = {name: {"label": label} for name, (label, _) in comparison.USUAL.items()}
    said = usual | state.about(line.run).get("quantities", {})
    values = (
        f"{words.symbol(said.get(name, {}).get('label', name.replace('_', ' ')))} "
        f"{words.number(value)}"
        for name, value in state.last_test(line.run).items()
    )
    return words.plain(" · ".join(values))


def compare(ids: list[str]) -> None:
    """The way to the ticked ones side by side."""
    ticked = [id for id in ids if st.session_state.get(f"{TICKED}{id}")]
    if ticked:
        label = "Compare the ticked run" if len(ticked) == 1 else f"Compare {len(ticked)} runs"
        state.link(label, state.COMPARE, runs=",".join(ticked))
    else:
        st.caption("Tick runs to compare them.", width="content")


if "wish" in st.session_state:
    act(*st.session_state.pop("wish"))
state.say_refusal()

lines = state.summaries(root)
busy = any(line.state in runs.ACTIVE for line in lines)
if not lines:
    state.say_no_runs("it appears here", ":material/list:")
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    text = st.text_input(
        "Search",
        key="runs.text",
        type="search",
        live=True,
        placeholder="Label, objective, data",
        label_visibility="collapsed",
        width=300,
        persist_state="session",
    )
    wanted = st.selectbox(
        "State",
        runs.STATES,
        index=None,
        key="runs.state",
        placeholder="Any state",
        label_visibility="collapsed",
        width=180,
        persist_state="session",
    )


@st.fragment(run_every=3 if busy else 10)
def listing() -> None:
    """The lines that were searched for. It looks again: a run may come from the shell."""
    every = state.summaries(root)
    if busy and not any(line.state in runs.ACTIVE for line in every):
        st.rerun()
    found = [line for line in every if line.matches(text) and wanted in (None, line.state)]
    pages = max(1, -(-len(found) // LINES))
    page = st.session_state.get(f"runs.page.{wanted}.{text}", 1)
    page = page if page <= pages else 1  # what the widget does where the list has got shorter
    with st.container(gap="xsmall", key="heads"):
        for cell, head in zip(st.columns(tuple(COLUMNS.values())), COLUMNS, strict=True):
            cell.caption(head)
    with st.container(gap="xsmall", key="lines"):
        for line in found[(page - 1) * LINES : page * LINES]:
            show(line)
    if pages > 1:
        st.pagination(pages, key=f"runs.page.{wanted}.{text}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{len(found)} of {len(every)} runs", width="content")
        compare([line.run.id for line in every])


st.html(STYLE)
if access.viewer():
    st.caption(f"{access.REASON}.")
listing()
