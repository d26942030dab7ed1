import re
from collections import ChainMap

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from infovae_core.catalogue import SETS
from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES


def sections():
    yield from (RunConfig, *OBJECTIVES.values())
    for name in ("data", "model", "training"):
        yield RunConfig.model_fields[name].annotation


@pytest.mark.parametrize("section", list(sections()), ids=lambda s: s.__name__)
def test_every_setting_has_a_default_a_title_and_a_sentence_of_help(section):
    for name, field in section.model_fields.items():
        assert not field.is_required(), name
        leaf = not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
        if leaf and name not in ("name", "objective"):
            assert field.title, name
            assert field.description.endswith("."), name


@pytest.mark.parametrize("section", list(sections()), ids=lambda s: s.__name__)
def test_help_calls_options_as_the_form_does(section):
    fields = section.model_fields.values()
    called = ChainMap(*((field.json_schema_extra or {}).get("called", {}) for field in fields))
    for field in fields:
        text = field.description or ""
        for name in called.values():
            text = text.replace(f"{name}:", "").replace(f"({name})", "")
        assert not called.keys() & re.findall(r"[\w-]+(?=[:)])", text), field.title


@pytest.mark.parametrize(
    "record",
    [
        {"labell": "x"},
        {"training": {"epoch": 3}},
        {"objective": {"name": "VAE", "beta": 2}},
        {"objective": {"name": "Nope"}},
        {"model": {"latent_dim": 0}},
        {"model": {"widths": []}},
        {"training": {"device": "abacus"}},
        {"training": {"batch_size": 1}},
    ],
)
def test_unknown_fields_and_values_out_of_range_are_refused(record):
    with pytest.raises(ValidationError):
        RunConfig.model_validate(record)


def test_the_documented_record_is_understood():
    record = {
        "label": "",
        "data": {"name": "digits", "limit": None, "binarize": "none", "root": "data"},
        "model": {"network": "mlp", "latent_dim": 2, "likelihood": "bernoulli"},
        "objective": {"name": "InfoVAE", "alpha": 0.0, "lam": 10.0, "divergence": "mmd"},
        "training": {
            "epochs": 30,
            "batch_size": 128,
            "learning_rate": 0.001,
            "seed": 0,
            "device": "auto",
        },
    }
    config = RunConfig.model_validate(record)
    assert config.epochs == 30
    assert (config.objective.alpha, config.objective.lam) == (0, 10)
    defaults = {"training": RunConfig().training, "objective": RunConfig().objective}
    assert config.model_copy(update=defaults) == RunConfig()


TURNS = [
    {"step": 0, "knobs": {"learning_rate": 1e-4}},
    {"step": 7, "knobs": {"objective": {"name": "InfoVAE", "alpha": 0.5, "kernel": "imq"}}},
]


def test_a_schedule_of_turns_is_a_setting_like_others():
    config = RunConfig.model_validate({"turns": TURNS})
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    turned = config.turned(config.turns[0].knobs).turned(config.turns[1].knobs)
    assert turned.training.learning_rate == 1e-4
    assert (turned.objective.alpha, turned.objective.kernel) == (0.5, "imq")
    assert turned.knobs == config.knobs.model_copy(
        update={"learning_rate": 1e-4, "objective": turned.objective}
    )


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([TURNS[1], TURNS[0]], "must rise, got \\[7, 0\\]"),
        ([TURNS[0], TURNS[0]], "must rise"),
        ([{"step": 3, "knobs": {"objective": {"name": "VAE"}}}], "start another run"),
        (
            [{"step": 3, "knobs": {"objective": {"name": "InfoVAE", "divergence": "kl"}}}],
            "must keep its name, divergence, critic_widths, got divergence kl for mmd",
        ),
        ([{"step": -1, "knobs": {}}], "greater than or equal to 0"),
        ([{"step": 1, "knobs": {}}], "name one or remove it"),
        ([{"step": 1, "knobs": {"learning_rate": 0}}], "greater than 0"),
    ],
)
def test_turns_that_no_run_could_make_are_refused(turns, message):
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({"turns": turns})


def changed(**sections):
    record = RunConfig().model_dump()
    return RunConfig.model_validate(record | {k: record[k] | v for k, v in sections.items()})


def test_knobs_lead_from_one_config_to_another_where_knobs_are_enough():
    now = RunConfig(label="mine")
    other = changed(objective={"lam": 77.0, "kernel": "imq"}, training={"learning_rate": 0.5})
    knobs = now.knobs_to(other)
    assert now.turned(knobs).objective == other.objective
    assert now.said_of_turn(knobs) == {
        "λ": (now.objective.lam, 77.0),
        "Kernel": ("RBF", "IMQ"),
        "Learning rate": (1e-3, 0.5),
    }
    assert now.said_of_turn(now.knobs) == {}


@pytest.mark.parametrize(
    "sections",
    [
        {"objective": {"divergence": "stein"}},
        {"training": {"seed": 1}},
        {"training": {"batch_size": 7}},
        {"model": {"latent_dim": 3}},
        {"data": {"limit": 100}},
    ],
)
def test_knobs_do_not_lead_to_another_run(sections):
    assert RunConfig().knobs_to(changed(**sections)) is None


@pytest.mark.parametrize("name", SETS)
def test_epochs_left_out_suit_the_data_set(name, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1200, 8, 8), np.uint8))
    data = {"name": name, "path": tmp_path / "x.npy", "root": tmp_path}
    config = RunConfig.model_validate({"data": data})
    if name == "files":
        assert config.epochs == 400
        assert RunConfig(data=data | {"limit": 500}).epochs == 500
    assert config.training.epochs is None
    assert config.epochs > 1
