"""The run directory: one writer, its worker; any number of readers, who may leave requests.

```
config.json      what was asked; written once
status.json      state, progress and heartbeat of the worker; replaced atomically
metrics.jsonl    one row a line, appended
events.jsonl     started, resumed, turned, compiled, paused, stopped, finished, failed, warning
snapshots/       <step>.npz, what the views draw
decoders/        <step>.npz, what decodes a code as it was then; see `decoders`
pictures.npz     small pictures of the images whose codes the snapshots hold; written once
checkpoint/      what `resume` goes on from
evaluation.json  what was measured of the last checkpoint, by name of the metric
evaluating.json  how far an evaluation is, or why it failed; replaced atomically, removed at its end
requests/        stop, pause, label, knobs, evaluate, cancel: all that a viewer writes
worker.log       output and tracebacks
```
Standard library and numpy only, so that a viewer opens runs without loading torch.
"""

from infovae_core.runs.directory import ENDINGS, REQUESTS, RunError
from infovae_core.runs.evaluated import EVALUATION, MEASURED
from infovae_core.runs.files import Tail
from infovae_core.runs.life import SILENCE, alive
from infovae_core.runs.listing import ID, create, default_root, find, holder, list_runs
from infovae_core.runs.queue import HIDDEN, TASKS, place_of, task_of, ticket_of, tickets, waiting
from infovae_core.runs.run import ACTIVE, BLANK, RESUMABLE, STATES, Run

__all__ = [
    "ACTIVE",
    "BLANK",
    "ENDINGS",
    "EVALUATION",
    "HIDDEN",
    "ID",
    "MEASURED",
    "REQUESTS",
    "RESUMABLE",
    "SILENCE",
    "STATES",
    "TASKS",
    "Run",
    "RunError",
    "Tail",
    "alive",
    "create",
    "default_root",
    "find",
    "holder",
    "list_runs",
    "place_of",
    "task_of",
    "ticket_of",
    "tickets",
    "waiting",
]
