"""What a run is asked to do: one frozen record that is config.json, command line and form.

Every field has a default, a range and a sentence of help; unknown fields are refused. Importing
this module loads no torch.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infovae_core import choices
from infovae_core.catalogue import SETS, about
from infovae_core.objectives import OBJECTIVES, InfoVAE

AnyObjective = Annotated[Union[tuple(OBJECTIVES.values())], Field(discriminator="name")]  # noqa: UP007
WITH_CRITIC = {  # settings of no use to an objective without one
    "shown_if": [{"objective.name": "InfoMaxVAE"}, {"objective.divergence": ["jensen", "kl"]}]
}
MLP = {"shown_if": {"network": "mlp"}}
LEARNED = ["gaussian_shared", "gaussian_learned"]  # likelihoods with a σ of their own
OWN = {"shown_if": {"name": "files"}}
Width = Annotated[int, Field(ge=1, le=8192)]


class Record(BaseModel, frozen=True):
    """A frozen pydantic model that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")


class DataConfig(Record):
    """Which images or points, and how many of them."""

    name: Literal[tuple(SETS)] = Field(
        "digits",
        title="Data set",
        description=f"{'; '.join(f'{known.title}: {known.help}' for known in SETS.values())}. "
        "What is not made here is downloaded on first use.",
        json_schema_extra={"called": {name: known.title for name, known in SETS.items()}},
    )
    path: Path | None = Field(
        None,
        title="Path",
        description="The folder or file with your own images.",
        json_schema_extra=OWN | {"empty": "folder, .zip, .npz, .npy or IDX file"},
    )
    size: int | None = Field(
        None,
        ge=4,
        le=512,
        title="Resize to",
        description="Pixels on a side: the middle square of each image is scaled to it. Empty "
        "leaves images as they are, and then all must be of one size.",
        json_schema_extra=OWN | {"empty": "as is"},
    )
    grey: bool = Field(
        False,
        title="Grey",
        description="Turn colours into grey values (ITU-R 601 luma).",
        json_schema_extra=OWN,
    )
    limit: int | None = Field(
        None,
        ge=2,
        title="Training images",
        description="Train on the first so many items only; empty takes all. Training items come "
        "in an order without meaning, so that the first are a fair sample.",
        json_schema_extra={"empty": "all"},
    )
    binarize: Literal["none", "threshold", "dynamic"] = Field(
        "none",
        title="Binarise",
        description="none: grey values as they are; threshold: above one half is 1; dynamic: each "
        "pixel drawn anew as a Bernoulli variable whenever its image is used.",
        json_schema_extra={
            "shown_if": {"name": [name for name, known in SETS.items() if known.kind == "images"]}
        },
    )
    root: Path = Field(
        Path("data"),
        title="Folder",
        description="Where downloaded and decoded data sets are kept, or lie already.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> DataConfig:
        if self.name == "files" and self.path is None:
            raise ValueError(
                "path must name a folder or file with images of your own, got none; choose or "
                "upload one"
            )
        if SETS[self.name].kind == "points" and self.binarize != "none":
            raise ValueError(
                f"binarize must be none for points, which have no pixels, got {self.binarize} for "
                f"{self.name}; set it to none"
            )
        return self


class ModelConfig(Record):
    """Encoder q(z|x), decoder and likelihood p(x|z)."""

    network: Literal["mlp", "cnn_infovae", "cnn_infomax", "cnn_cifar", "cnn_celeba", "pixelcnn"] = (
        Field(
            "mlp",
            title="Network",
            description="MLP: fully connected layers, the decoder mirroring the encoder. CNN: the "
            "convolutional networks of the papers, InfoVAE's for MNIST and InfoMax-VAE's for "
            "MNIST, CIFAR and CelebA. PixelCNN: InfoVAE's encoder, and a decoder that draws binary "
            "images pixel by pixel and can do without the code.",
            json_schema_extra={
                "called": {
                    "mlp": "MLP",
                    "cnn_infovae": "CNN of InfoVAE",
                    "cnn_infomax": "CNN of InfoMax-VAE",
                    "cnn_cifar": "CNN for CIFAR",
                    "cnn_celeba": "CNN for CelebA",
                    "pixelcnn": "PixelCNN",
                }
            },
        )
    )
    widths: tuple[Width, ...] = Field(
        (256, 256),
        min_length=1,
        max_length=32,
        title="Encoder widths",
        description="Units of each hidden layer, from the image to the code.",
        json_schema_extra=MLP,
    )
    decoder_widths: tuple[Width, ...] = Field(
        (),
        max_length=32,
        title="Decoder widths",
        description="From the code to the image; empty mirrors the encoder.",
        json_schema_extra=MLP | {"empty": "mirror"},
    )
    decoder_depth: int | None = Field(
        None,
        ge=1,
        le=32,
        title="Decoder depth",
        description="Layers of weights from the code to the image, as wide within as the encoder's "
        "first; empty takes the decoder widths. InfoMax-VAE's paper compares 2, 4 and 10.",
        json_schema_extra=MLP | {"empty": "as widths"},
    )
    activation: Literal["relu", "silu", "tanh"] = Field(
        "relu",
        title="Activation",
        description="The nonlinearity between layers.",
        json_schema_extra=MLP | {"called": {"relu": "ReLU", "silu": "SiLU"}},
    )
    pixel_channels: int = Field(
        16,
        ge=2,
        le=256,
        title="PixelCNN channels",
        description="Channels of each of its two stacks; the cost grows with their square.",
        json_schema_extra={"shown_if": {"network": "pixelcnn"}},
    )
    pixel_layers: int = Field(
        6,
        ge=1,
        le=32,
        title="PixelCNN layers",
        description="The first looks 3 pixels far, each further one 2 more: 6 layers let a pixel "
        "know the 13 rows above it.",
        json_schema_extra={"shown_if": {"network": "pixelcnn"}},
    )
    latent_dim: int = Field(
        2,
        ge=1,
        le=1024,
        title="Latent dimension d",
        description="Numbers in a code z. Two can be drawn as they are; more are projected.",
    )
    likelihood: Literal[
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "gaussian_shared",
        "gaussian_learned",
        "logistic",
        "logistic_mixture",
    ] = Field(
        "bernoulli",
        title="Likelihood p(x|z)",
        description="Bernoulli: cross-entropy on values in [0, 1], a probability only for binary "
        "images; continuous Bernoulli: the same, normalised; Gaussian: a normal density around the "
        "decoded image, with a fixed σ, one that is learned, or one that the decoder gives for "
        "each value; discretised logistic: probabilities of 256 grey levels; logistic mixture: of "
        "several of these, in which the colours of a pixel depend on one another.",
        json_schema_extra={
            "called": {
                "bernoulli": "Bernoulli",
                "continuous_bernoulli": "continuous Bernoulli",
                "gaussian": "Gaussian (fixed σ)",
                "gaussian_shared": "Gaussian (learned σ)",
                "gaussian_learned": "Gaussian (σ per value)",
                "logistic": "discretised logistic",
                "logistic_mixture": "logistic mixture",
            }
        },
    )
    sigma: float = Field(
        0.1,
        ge=1e-3,
        le=10,
        title="σ of the Gaussian",
        description="Standard deviation of a value around its decoded mean; where it is learned, "
        "what it starts at.",
        json_schema_extra={"shown_if": {"likelihood": [*LEARNED, "gaussian"]}},
    )
    sigma_floor: float = Field(
        0.01,
        gt=0,
        le=10,
        title="Floor of σ",
        description="A learned σ stays above it. Without a floor the density of a value that can "
        "be decoded exactly is infinite.",
        json_schema_extra={"shown_if": {"likelihood": LEARNED}},
    )
    components: int = Field(
        5,
        ge=1,
        le=100,
        title="Components",
        description="Logistics in the mixture of each pixel.",
        json_schema_extra={"shown_if": {"likelihood": "logistic_mixture"}},
    )

    @model_validator(mode="after")
    def _is_one_model(self) -> ModelConfig:
        if self.likelihood in LEARNED and self.sigma <= self.sigma_floor:
            raise ValueError(
                "sigma must start above sigma_floor where it is learned, got "
                f"{self.sigma:g} and {self.sigma_floor:g}; raise the one or lower the other"
            )
        if self.decoder_widths and self.decoder_depth is not None:
            raise ValueError(
                "decoder_widths and decoder_depth must not both be set, got "
                f"{self.decoder_widths} and {self.decoder_depth}; leave one of them empty"
            )
        return self


class TrainingConfig(Record):
    """How long, how fast, where, and with which randomness."""

    epochs: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        title="Epochs",
        description="Passes over the training images; empty takes enough for the data set.",
        json_schema_extra={"empty": "auto"},
    )
    batch_size: int = Field(
        128, ge=2, le=65_536, title="Batch size", description="Images in a gradient step."
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        title="Learning rate",
        description="Step size of Adam for encoder and decoder.",
    )
    critic_learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        title="Critic's learning rate",
        description="Step size of Adam for the critic of an objective that has one.",
        json_schema_extra=WITH_CRITIC,
    )
    critic_steps: int = Field(
        1,
        ge=1,
        le=100,
        title="Critic steps",
        description="Steps of the critic for each step of encoder and decoder.",
        json_schema_extra=WITH_CRITIC,
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        title="Seed",
        description="Fixes weights, batches and noise: the same seed gives the same run.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto takes a GPU where there is one; else cpu, cuda, cuda:1, mps.",
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        title="Compile",
        description="Have the steps compiled once 2,000 have been taken without a turn of a knob: "
        "up to a minute, a few seconds the next time, and then faster for small networks. auto "
        "does so on a CPU, where enough steps are ahead to earn it back. Where it is on "
        "and the device is a CUDA GPU, they are captured as a CUDA graph instead, which has not "
        "been tried on one yet. Where it fails, training goes on without.",
        json_schema_extra={"folded": True},
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        "float32",
        title="Precision",
        description="What steps may round to. TF32: matrix products and convolutions on a CUDA "
        "GPU, and nothing on a CPU; bfloat16: all that networks compute, which pays on a CPU only "
        "where that has bfloat16 of its own. Neither has been tried on a GPU yet. What is measured "
        "stays in float32.",
        json_schema_extra={"folded": True, "called": {"tf32": "TF32"}},
    )


RATES = ("learning_rate", "critic_learning_rate")


class Knobs(Record):
    """New values for a run that trains; what is left out stays as it is.

    An objective's numbers and its kernel may change. What decides its terms and critics may not:
    another objective is another run (`Objective.check_turn`).
    """

    objective: AnyObjective | None = None
    learning_rate: float | None = Field(None, gt=0, le=1)
    critic_learning_rate: float | None = Field(None, gt=0, le=1)


class Turn(Record):
    """Knobs, and the step after which a run takes them."""

    step: int = Field(ge=0)
    knobs: Knobs

    @model_validator(mode="after")
    def _turns_something(self) -> Turn:
        if self.knobs == Knobs():
            raise ValueError(
                f"a turn must name a knob, got none after step {self.step}; name one or remove it"
            )
        return self


class RunConfig(Record):
    """Everything that decides a run's outcome."""

    label: str = Field(
        "",
        max_length=200,
        title="Label",
        description="What the run is called in lists.",
        json_schema_extra={"empty": "optional"},
    )
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: AnyObjective = InfoVAE()
    training: TrainingConfig = TrainingConfig()
    turns: tuple[Turn, ...] = Field(
        (),
        title="Turns",
        description="Knobs to turn on the way: a schedule, or what was turned in a run that this "
        "one repeats.",
        json_schema_extra={"widget": False},
    )

    @model_validator(mode="after")
    def _can_be_turned(self) -> RunConfig:
        steps = [turn.step for turn in self.turns]
        if any(late >= later for late, later in pairwise(steps)):
            raise ValueError(f"the steps of turns must rise, got {steps}; sort them, one for each")
        for turn in self.turns:
            if turn.knobs.objective is not None:
                self.objective.check_turn(turn.knobs.objective)
        return self

    @property
    def epochs(self) -> int:
        """Passes over the training set: as asked, or as many as suit the data set.

        Raises: DataError where these are files that cannot be used.
        """
        return self.training.epochs or about(self.data).epochs

    @property
    def knobs(self) -> Knobs:
        """Every knob as it stands."""
        rates = {name: getattr(self.training, name) for name in RATES}
        return Knobs(objective=self.objective, **rates)

    def turned(self, knobs: Knobs) -> RunConfig:
        """The settings in force once `knobs` are turned."""
        rates = knobs.model_dump(include=set(RATES), exclude_none=True)
        return self.model_copy(
            update={
                "objective": knobs.objective or self.objective,
                "training": self.training.model_copy(update=rates),
            }
        )

    def knobs_to(self, other: RunConfig) -> Knobs | None:
        """The knobs that turn these settings into `other`; None where they are not enough."""
        knobs = other.knobs
        same = {"label": self.label, "turns": self.turns}
        try:
            self.objective.check_turn(other.objective)
        except ValueError:
            return None
        return knobs if self.turned(knobs) == other.model_copy(update=same) else None

    def said_of_turn(self, knobs: Knobs) -> dict[str, tuple[Any, Any]]:
        """What `knobs` change: title of the field → value before and after."""
        said = {}
        after = self.turned(knobs)
        for old, new in ((self.objective, after.objective), (self.training, after.training)):
            for name, field in type(old).model_fields.items():
                pair = getattr(old, name), getattr(new, name)
                if pair[0] != pair[1]:
                    words = [choices.called(field, v) if isinstance(v, str) else v for v in pair]
                    said[field.title] = tuple(words)
        return said
