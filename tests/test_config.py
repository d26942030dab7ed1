import pytest
from pydantic import BaseModel, ValidationError

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
    assert config.model_copy(update={"training": RunConfig().training}) == RunConfig()


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_epochs_left_out_suit_the_data_set(name):
    config = RunConfig.model_validate({"data": {"name": name}})
    assert config.training.epochs is None
    assert config.epochs > 1
