"""The form of a model: what it shows, what it gives back, what it says when a value is wrong."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import torch
from pydantic import BaseModel, Field, model_validator
from streamlit.testing.v1 import AppTest

from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES
from infovae_core.terms import DIVERGENCES


class Square(BaseModel):
    """Four equal sides."""

    shape: Literal["square"] = "square"
    side: float = Field(1.0, gt=0)


class Circle(BaseModel):
    """All points at one distance."""

    shape: Literal["circle"] = "circle"
    radius: float | None = Field(None, ge=0)
    centre: tuple[float, ...] = Field((0.0, 0.0), min_length=2, max_length=2)


class Toy(BaseModel):
    """A model with every kind of field."""

    loud: bool = False
    colour: Literal["cyan", "magenta", "yellow", "black", "a_colour_without_a_name"] = "cyan"
    named: str | None = Field(None, max_length=5)
    low: int = Field(0, ge=0, description="Starts *here*.")
    high: int = 9
    form: Annotated[Square | Circle, Field(discriminator="shape")] = Square()

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError(f"low and high must be in order, got {self.low}; raise high")
        return self


def page(model, key, prefill):
    """A page that is nothing but the form of a model."""
    import streamlit as st

    from dashboard import forms

    if prefill is not None and key not in st.session_state:
        forms.fill(key, prefill)
    if st.session_state.get("elsewhere"):
        st.stop()
    st.session_state.pop("callback", lambda: None)()
    form = forms.Form(model, key)
    form.draw("")
    form.fold("More", "")
    st.session_state["out"] = form


def opened(model=RunConfig, prefill=None):
    app = AppTest.from_function(page, args=(model, "f", prefill), default_timeout=20)
    app.session_state["f.fold.More"] = True
    assert not app.run().exception
    return app


def out(app):
    assert not app.exception
    return app.session_state["out"]


def widget(app, path):
    """The widget of the field at `path`, whichever member of a union it belongs to."""
    [key] = [leaf.key for leaf in out(app).leaves if leaf.path == path]
    return app.get_by_key(key)


def shown(app):
    """The paths of the fields that have a widget on the page."""
    return {leaf.path for leaf in out(app).leaves if _has(app, leaf.key)}


def _has(app, key):
    try:
        app.get_by_key(key)
    except KeyError:
        return False
    return True


def say(app, **values):
    for path, value in values.items():
        widget(app, path.replace("__", ".")).set_value(value)
    return app.run()


LEADING = (  # fields that decide which others there are
    *("objective.name", "objective.divergence", "model.likelihood", "model.network", "data.name"),
)


def paths(model, prefix=""):
    """Every field of a model that has no fields of its own."""
    for name, value in model:
        path = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from paths(value, f"{path}.")
        else:
            yield path, value


def other(path, value, leaf):
    """Another valid value of a field: as its widget takes it, and as the model has it."""
    if leaf.options:
        options = list(leaf.options)
        return (options[-1],) * 2
    if path == "training.device":
        return "cpu", "cpu"
    if isinstance(value, tuple):
        return "32, 16", (32, 16)
    if isinstance(value, Path):
        return "elsewhere", Path("elsewhere")
    if isinstance(value, str):
        return "a *name*", "a *name*"
    if isinstance(value, float):
        return value / 2 + 0.001, value / 2 + 0.001
    return (value or 0) + 3, (value or 0) + 3


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_field_that_applies_has_a_widget_and_comes_back(name):
    app = say(opened(), objective__name=name)
    expected = RunConfig.model_validate({"objective": {"name": name}})
    assert out(app).value == expected
    app = say(app, model__likelihood="gaussian")
    leaves = {leaf.path: leaf for leaf in out(app).leaves}
    said = {path: leaf.value for path, leaf in leaves.items()}
    record = {}
    for path, value in paths(out(app).value):
        if path not in shown(app):
            assert path == "turns" or not leaves[path].is_shown(said)
            continue
        if path in (*LEADING, "model.decoder_depth"):  # the other way to say the decoder's widths
            continue
        raw, wanted = other(path, value, leaves[path])
        widget(app, path).set_value(raw)
        record[path] = wanted
    app.run()
    assert {path: value for path, value in paths(out(app).value) if path in record} == record


def test_an_untouched_form_is_the_default():
    assert out(opened()).value == RunConfig()
    assert out(opened(Toy)).value == Toy()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_filled_form_gives_back_what_filled_it(name):
    config = RunConfig.model_validate(
        {
            "label": "seven",
            "data": {"name": "mnist", "limit": 1000},
            "model": {"widths": [64], "latent_dim": 3, "sigma": 0.5, "decoder_widths": [8, 9]},
            "objective": {"name": name},
            "training": {"epochs": 2, "learning_rate": 1e-5, "device": "cuda:1"},
        }
    )
    app = opened(prefill=config)
    assert out(app).value == config
    assert out(app.run()).value == config


def test_filling_again_replaces_what_was_typed():
    app = say(opened(prefill=RunConfig()), model__latent_dim=5)
    assert out(app).value.model.latent_dim == 5
    app.session_state["f"] = (7, RunConfig(label="new"))
    assert out(app.run()).value == RunConfig(label="new")


def put(app, record):
    """What a callback on the page would do before the form is made."""

    def callback():
        import streamlit as st

        from dashboard import forms

        forms.put("f", st.session_state["record"])

    app.session_state["record"] = record
    app.session_state["callback"] = callback
    return app.run()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_partial_record_is_put_into_the_same_widgets(name):
    app = say(opened(prefill=RunConfig()), training__seed=5, model__widths="9 8, x")
    keys = {leaf.key for leaf in out(app).leaves if not leaf.path.startswith("objective")}
    objective = OBJECTIVES[name].model_validate(
        {"name": name}
        | {field: 7 for field in ("beta", "lam") if field in OBJECTIVES[name].model_fields}
    )
    app = put(app, {"objective": objective.model_dump(), "training": {"batch_size": 100}})
    form = out(app)
    assert form.part("objective") == objective
    assert form.said("training.batch_size") == 100
    assert form.said("training.seed") == 5
    assert list(form.errors) == ["model.widths"]  # what was wrong is still there to be mended
    assert keys <= {leaf.key for leaf in form.leaves}
    assert out(say(app, model__widths="9, 8")).value.model.widths == (9, 8)


def test_what_was_typed_for_another_objective_outlasts_a_record():
    app = say(opened(prefill=RunConfig()), objective__divergence="stein", objective__lam=77.0)
    app = put(app, {"objective": {"name": "BetaVAE", "beta": 2}})
    assert out(app).value.objective.beta == 2
    app = put(app, {"objective": {"name": "InfoVAE", "alpha": 0.5}})
    assert out(app).value.objective == OBJECTIVES["InfoVAE"](alpha=0.5, lam=77, divergence="stein")


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("data.limit", None, None),
        ("model.decoder_widths", (8, 9), "8, 9"),
        ("training.learning_rate", 1, 1.0),
        ("label", "x", "x"),
    ],
)
def test_a_value_is_put_as_its_widget_wants_it(path, value, shown):
    *above, name = path.split(".")
    record = {name: value}
    for section in above:
        record = {section: record}
    app = put(opened(prefill=RunConfig(data={"limit": 3})), record)
    assert widget(app, path).value == shown
    assert not out(app).errors


def test_small_numbers_are_written_out():
    box = widget(opened(), "training.learning_rate")
    assert (box.value, box.proto.format % box.value) == (1e-3, "0.001")
    assert box.proto.step == 1e-4


def test_what_empty_means_is_said_where_nothing_is_typed():
    for app in (opened(), say(opened(), data__name="files")):
        for path, leaf in (
            (leaf.path, leaf) for leaf in out(app).leaves if leaf.path in shown(app)
        ):
            if leaf.optional or (leaf.kind == "list" and not leaf.default):
                assert widget(app, path).proto.placeholder == leaf.extra["empty"]


def test_title_range_and_help_come_from_the_field():
    app = opened()
    box = widget(app, "training.batch_size")
    assert box.label == "Batch size"
    assert "Images in a gradient step." in box.help.replace("\\", "")
    assert "At least 2 and at most 65,536." in box.help.replace("\\", "")
    assert widget(app, "objective.name").options == [c.title for c in OBJECTIVES.values()]


WRONG = [
    ("model.latent_dim", 0, "Latent dimension d must be at least 1, got 0"),
    ("training.learning_rate", 0.0, "Learning rate must be more than 0, got 0"),
    ("training.seed", 2**31, "Seed must be less than 2,147,483,648, got 2,147,483,648"),
    ("training.epochs", -3, "Epochs must be at least 1, got −3"),
    ("training.device", "abacus", "Device cannot be “abacus”: auto takes"),
    ("model.widths", "256, many", "each of Encoder widths must be a whole number, got “many”"),
    ("model.widths", "", "Encoder widths must list at least 1, got 0"),
    ("model.widths", "0", "each of Encoder widths must be at least 1, got “0”"),
    ("label", "x" * 201, "Label must be at most 200 characters long, got 201"),
    ("objective.lam", -1.0, "λ must be at least 0, got −1"),
]


def said(app):
    """The messages on the page, without what keeps them from being read as markup."""
    texts = [m.value.replace("\\", "").replace("\u2060", "") for m in app.markdown]
    return [text for text in texts if ":material/error:" in text]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_a_bad_value_is_explained_below_its_widget(path, value, message):
    app = say(opened(), **{path.replace(".", "__"): value})
    assert out(app).value is None
    assert list(out(app).errors) == [path]
    [text] = said(app)
    assert message in text
    leaves = [leaf for leaf in out(app).leaves if leaf.path in shown(app)]
    order = [node for node in app.main if getattr(node, "type", "") != "unknown"]
    keys = [getattr(node, "key", None) for node in order]
    place = next(i for i, node in enumerate(order) if node is app.markdown[0])
    before = [key for key in keys[:place] if key in {leaf.key for leaf in leaves}]
    [key] = [leaf.key for leaf in leaves if leaf.path == path]
    assert key in before[-2:]  # in the row above, which holds two at most


def test_a_rule_about_two_fields_names_them_as_the_form_does():
    app = say(opened(), objective__alpha=0.3, objective__lam=0.2)
    form = out(app)
    assert form.value is None
    assert form.part("objective") is None
    assert set(form.errors) == {"objective.alpha", "objective.lam"}
    [text] = said(app)  # they stand side by side: once is enough
    assert "α + λ must be at least 1" in text
    assert "got 0.3 + 0.2; raise λ to at least 0.7" in text
    assert out(say(app, objective__lam=0.7)).value.objective.lam == 0.7


def test_the_other_parts_stay_known_while_one_is_wrong():
    form = out(say(opened(), training__batch_size=1))
    assert form.value is None
    assert form.part("objective") == RunConfig().objective


def test_fields_that_do_not_apply_are_hidden_and_cannot_be_wrong():
    app = opened()
    assert "model.sigma" not in shown(app)
    app = say(app, model__likelihood="gaussian")
    assert "model.sigma" in shown(app)
    app = say(app, model__sigma=99.0)
    assert out(app).value is None
    app = say(app, model__likelihood="bernoulli")
    assert out(app).value == RunConfig()
    app = say(app, model__likelihood="gaussian")
    assert widget(app, "model.sigma").value == 99.0


@pytest.mark.parametrize(
    ("name", "divergence"),
    [(name, None) for name in OBJECTIVES] + [("InfoVAE", name) for name in DIVERGENCES],
)
def test_settings_of_the_critic_are_shown_where_there_is_one(name, divergence):
    app = say(opened(), objective__name=name)
    if divergence:
        app = say(app, objective__divergence=divergence)
    terms = [term for _, term in out(app).value.objective.terms()]
    critics = [term.make_critic(4, 2) for term in terms]
    has_critic = any(isinstance(critic, torch.nn.Module) for critic in critics)
    for path in ("training.critic_learning_rate", "training.critic_steps"):
        assert (path in shown(app)) == has_critic
    assert ("objective.critic_widths" in shown(app)) == has_critic


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_a_choice_whose_neighbour_comes_or_goes_stays_the_same_widget(divergence):
    """Two kinds of widget under one key would hand the browser's value back and forth."""

    def apart():
        import streamlit as st

        from dashboard import forms
        from infovae_core.config import RunConfig

        form = forms.Form(RunConfig, "f")
        form.draw("objective")
        st.session_state["out"] = form

    app = say(AppTest.from_function(apart).run(), objective__name="InfoVAE")
    before = widget(app, "objective.divergence").type
    app = say(app, objective__divergence=divergence)
    for _ in range(3):
        assert widget(app, "objective.divergence").type == before
        assert out(app).value.objective.divergence == divergence
        app.run()


def test_values_survive_another_objective_and_another_page():
    app = say(opened(), objective__name="BetaVAE")
    app = say(app, objective__beta=7.0)
    app = say(app, objective__name="InfoMaxVAE")
    assert widget(app, "objective.beta").value == 1.0  # another β
    app = say(app, objective__name="BetaVAE")
    assert out(app).value.objective.beta == 7.0
    app.session_state["elsewhere"] = True
    assert not app.run().number_input
    app.session_state["elsewhere"] = False
    assert out(app.run()).value.objective.beta == 7.0
    assert widget(app, "objective.beta").value == 7.0


def test_each_viewer_has_a_form_of_its_own():
    one, two = opened(), opened()
    say(one, model__latent_dim=9)
    assert out(two.run()).value == RunConfig()


def test_any_model_will_do():
    app = opened(Toy)
    assert widget(app, "form.shape").options == ["Square", "Circle"]
    assert "Starts \\*here\\*\\." in widget(app, "low").help
    app = say(app, loud=True, colour="a_colour_without_a_name", form__shape="circle")
    app = say(app, form__radius=2.5, form__centre="1 -1.5", named="abc")
    made = Toy(loud=True, colour="a_colour_without_a_name", named="abc")
    assert out(app).value == made.model_copy(
        update={"form": Circle(radius=2.5, centre=(1.0, -1.5))}
    )
    assert out(say(app, form__radius=None, named="")).value.form.radius is None
    assert out(app).value.named is None
    app = say(app, low=12)
    assert set(out(app).errors) == {"low", "high"}


def test_a_kind_of_field_without_a_widget_is_refused_with_the_remedy():
    class Odd(BaseModel):
        when: complex = 0j

    app = AppTest.from_function(page, args=(Odd, "f", None)).run()
    assert "teach dashboard/fields.py" in app.exception[0].message


def test_each_widget_is_drawn_once():
    def twice():
        import streamlit as st

        from dashboard import forms
        from infovae_core.config import RunConfig

        form = forms.Form(RunConfig, "f")
        form.draw("model.latent_dim")
        form.fold("Network", "model")
        form.draw("model", "data.name")
        st.session_state["out"] = form

    app = AppTest.from_function(twice)
    app.session_state["f.fold.Network"] = True
    assert {p.partition(".")[0] for p in shown(app.run())} == {"model", "data"}


def test_a_fold_is_drawn_once_it_is_opened_and_keeps_what_was_put_into_it():
    def folded():
        import streamlit as st

        from dashboard import forms
        from infovae_core.config import RunConfig

        form = forms.Form(RunConfig, "f")
        form.fold("Network", "model")
        st.session_state["out"] = form

    def fold(is_open):
        app.session_state["f.fold.Network"] = is_open
        return app.run()

    app = AppTest.from_function(folded).run()
    assert shown(app) == set()
    assert "model.widths" in shown(fold(True))
    say(app, model__widths="30 20")
    assert shown(fold(False)) == set()
    assert out(app).value.model.widths == (30, 20)
    said = widget(fold(True), "model.widths")
    assert "30" in said.value
    said.set_value("").run()
    message = out(app).errors["model.widths"]
    for is_open in (True, False):  # beside the widget, or where it would be
        written = "".join(e.value for e in fold(is_open).markdown).replace("\\", "")
        assert message.split(",")[0] in written


def test_a_message_is_said_once_however_the_form_is_drawn():
    def piecewise():
        import streamlit as st

        from dashboard import forms
        from infovae_core.config import RunConfig

        form = forms.Form(RunConfig, "f")
        form.draw("model.latent_dim", "objective")
        form.draw("")
        st.session_state["out"] = form

    app = say(AppTest.from_function(piecewise).run(), model__latent_dim=0, objective__lam=-1.0)
    assert len(said(app)) == 2
