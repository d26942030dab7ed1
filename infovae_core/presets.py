"""Published settings by name, each with its source and with what of it this program cannot carry.

A preset is a partial config: what it does not say stays as it is. Coefficients are in this
program's scale, that is for a distortion and terms in nats per image, summed over pixels; the
authors' MMD² has k(x, x) = 1 as ours has. Loads no torch.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infovae_core.config import RunConfig
from infovae_core.objectives import OBJECTIVES, InfoVAE


@dataclass(frozen=True)
class Preset:
    """A point of the family, and as much of its surroundings as is known and can be set."""

    title: str
    source: str
    note: str  # what is set, what differs from the original and what is left as it is
    settings: Mapping[str, Any]  # fields of RunConfig, nested

    def over(self, config: RunConfig) -> RunConfig:
        """`config` with the preset's settings; another objective starts from its own defaults."""
        record = config.model_dump()
        name = self.settings["objective"]["name"]
        if name != config.objective.name:
            record["objective"] = OBJECTIVES[name]().model_dump()
        sections = {part: record[part] | fields for part, fields in self.settings.items()}
        return RunConfig.model_validate(record | sections)

    def holds(self, config: RunConfig) -> bool:
        """Whether `config` says everything that the preset says."""
        return self.over(config) == config


def find(name: str) -> Preset:
    """The preset of that name. Raises: ValueError with the nearest name and the list."""
    if name in PRESETS:
        return PRESETS[name]
    close = difflib.get_close_matches(name, PRESETS, n=1)
    remedy = f"did you mean {close[0]}?" if close else "choose one of them"
    raise ValueError(f"a preset must be one of {', '.join(PRESETS)}, got {name!r}; {remedy}")


ZHAO = "Zhao, Song & Ermon 2017"
REZAABAD = "Rezaabad & Vishwanath 2020"
AUTHORS_MMD = {"divergence": "mmd", "kernel": "rbf", "statistic": "v"}
MNIST = {"name": "mnist", "limit": None, "binarize": "none"}
CIFAR = {"name": "cifar10", "limit": None, "binarize": "none"}
CELEBA = {"name": "celeba", "limit": 12_000, "binarize": "none"}
POINTS = {"name": "two_points", "limit": None, "binarize": "none"}
GREY = "Cross-entropy on grey values, which is no density."


def model(network: str, d: int, **more: Any) -> dict[str, Any]:
    """A model's fields, with the likelihood of almost all that is published."""
    return {"network": network, "latent_dim": d, "likelihood": "bernoulli"} | more


def infovae(alpha: float, lam: float, **more: Any) -> dict[str, Any]:
    """An InfoVAE's fields."""
    return {"name": "InfoVAE", "alpha": alpha, "lam": lam} | more


def infomax(beta: float, alpha: float, critic_widths: tuple[int, ...]) -> dict[str, Any]:
    """An InfoMax-VAE's fields, with the bound that its paper chooses."""
    critic = {"bound": "kl", "critic_widths": critic_widths}
    return {"name": "InfoMaxVAE", "beta": beta, "alpha": alpha} | critic


def adam(rate: float, batch: int, epochs: int | None = None, **more: Any) -> dict[str, Any]:
    """The training's fields; without a length that stays as it is."""
    length = {} if epochs is None else {"epochs": epochs}
    return {"learning_rate": rate, "batch_size": batch} | length | more


def exploding(objective: dict[str, Any]) -> dict[str, Any]:
    """Two points at ±1 and a decoder that could fit them exactly, but for the floor of its σ."""
    sigma = {"likelihood": "gaussian_learned", "sigma": 0.5, "sigma_floor": 5e-4}
    layers = {"widths": (200, 200), "decoder_widths": (), "decoder_depth": None}
    return {
        "data": POINTS,
        "model": model("mlp", 1, activation="relu", **layers, **sigma),
        "objective": objective,
        "training": adam(1e-3, 512, 2000),
    }


PRESETS: dict[str, Preset] = {
    "aae": Preset(
        title="AAE",
        source="Makhzani et al. 2015",
        note="InfoVAE at α = 1, λ = 1 with Jensen's divergence: no rate. Sets the objective alone; "
        "the encoder here is Gaussian, which is one of the three that the paper tries.",
        settings={"objective": infovae(1.0, 1.0, divergence="jensen")},
    ),
    "mmd-vae": Preset(
        title="MMD-VAE",
        source=ZHAO,
        note="InfoVAE at α = 1 with MMD: no rate. The name leaves λ open; it is this program's. "
        "Sets the objective alone.",
        settings={"objective": infovae(1.0, InfoVAE().lam, divergence="mmd")},
    ),
    "posterior-collapse": Preset(
        title="Posterior collapse, PixelCNN",
        source=f"{ZHAO} and {REZAABAD}: autoregressive decoders on binarised MNIST",
        note="A decoder that can do without its code: with the ELBO the rate falls towards "
        "0, and images have the prior for their posterior. Then choose InfoVAE or "
        "InfoMax-VAE. The layout of the papers' decoders is not published; this is the gated "
        "PixelCNN of van den Oord et al. 2016.",
        settings={
            "data": MNIST | {"binarize": "dynamic"},
            "model": model("pixelcnn", 10, pixel_channels=16, pixel_layers=6),
            "objective": {"name": "VAE"},
            "training": adam(1e-3, 100, 5),
        },
    ),
    "exploding-elbo": Preset(
        title="Exploding codes: the ELBO",
        source=f"{ZHAO}, the authors' code",
        note="Two points, one latent dimension, a decoder that learns its σ: the ELBO pulls the "
        "codes out of the prior to tell the points apart. There with LeakyReLU 0.1, batches of 500 "
        "and a hundredth of this learning rate.",
        settings=exploding({"name": "VAE"}),
    ),
    "exploding-mmd": Preset(
        title="Exploding codes: MMD",
        source=f"{ZHAO}, the authors' code",
        note="The same with 500 MMD² in place of the rate: the codes stay within the prior.",
        settings=exploding(infovae(1.0, 500.0, **AUTHORS_MMD)),
    ),
    "mmd-vae-tutorial": Preset(
        title="MMD-VAE tutorial, MNIST",
        source=f"{ZHAO}, the code of their tutorial",
        note="There: squared error per pixel + MMD², that is 1/784 of summed squared error + "
        "784 MMD². With 2σ² = 1 a Gaussian's −log p is that summed error plus 392 log π = 448.7 "
        "nats, so λ = 784 carries over. 10,000 steps are 33 epochs of 60,000 images. Not carried "
        "over: the deterministic encoder (q(z|x) here has a σ, which only D and the MMD hold) and "
        "the sigmoid at the decoder's end.",
        settings={
            "data": MNIST,
            "model": model("cnn_infovae", 20, likelihood="gaussian", sigma=math.sqrt(0.5)),
            "objective": infovae(1.0, 784.0, **AUTHORS_MMD),
            "training": adam(1e-3, 200, 33),
        },
    ),
    "infovae-mnist-cnn": Preset(
        title="InfoVAE, MNIST CNN",
        source=f"{ZHAO}, the authors' code",
        note="Binary images, summed cross-entropy, the rate with its full weight. The code trains "
        "until it is stopped, so the length stays as it is. Not set: the bounds on the encoder's "
        "σ, 0.01 and 1.",
        settings={
            "data": MNIST | {"binarize": "threshold"},
            "model": model("cnn_infovae", 10),
            "objective": infovae(0.0, 50.0, **AUTHORS_MMD),
            "training": adam(4e-5, 100),
        },
    ),
    "infovae-mnist-quoted": Preset(
        title="InfoVAE, MNIST, as quoted",
        source=f"{ZHAO}, as others quote the paper",
        note="α = 0 and λ = 1000 are what is quoted. Without the kernel a λ means little: kernel, "
        "statistic and all else stay as they are.",
        settings={"data": MNIST, "objective": infovae(0.0, 1000.0, divergence="mmd")},
    ),
    "infomax-mnist-fc": Preset(
        title="InfoMax-VAE, MNIST FC",
        source=f"{REZAABAD}, the authors' code",
        note="The whole setting, layer by layer: 35 million weights. In InfoVAE's terms the rate "
        "has the coefficient −9. Cross-entropy on grey values. The authors permute the codes of a "
        "batch at random; here each image is paired with its neighbour's code.",
        settings={
            "data": MNIST,
            "model": model(
                "mlp",
                2,
                widths=(1000, 2000, 2000, 1000, 1000, 1000, 1000),
                decoder_widths=(1000, 2000, 2000, 2000, 2000, 2000, 2000),
                decoder_depth=None,
                activation="relu",
            ),
            "objective": infomax(1.0, 10.0, (1000, 400, 100)),
            "training": adam(1e-4, 100, 5, critic_learning_rate=1e-5, critic_steps=1),
        },
    ),
    "infomax-mnist-cnn": Preset(
        title="InfoMax-VAE, MNIST CNN",
        source=f"{REZAABAD}, the authors' code and Table I",
        note=f"z has 20 dimensions as in Table I; the public script has 10. {GREY}",
        settings={
            "data": MNIST,
            "model": model("cnn_infomax", 20),
            "objective": infomax(1.0, 20.0, (1000, 400, 100)),
            "training": adam(1e-3, 100, 10, critic_learning_rate=1e-5, critic_steps=1),
        },
    ),
    "infomax-cifar": Preset(
        title="InfoMax-VAE, CIFAR",
        source=f"{REZAABAD}, the authors' code",
        note="Published for CIFAR-10 and CIFAR-100 and for z of 100, 200 and 500 dimensions; this "
        f"is CIFAR-10 and 100. {GREY}",
        settings={
            "data": CIFAR,
            "model": model("cnn_cifar", 100),
            "objective": infomax(0.1, 10.0, (4000, 1000, 100)),
            "training": adam(1e-3, 100, 20, critic_learning_rate=1e-5, critic_steps=1),
        },
    ),
    "infomax-celeba": Preset(
        title="InfoMax-VAE, CelebA",
        source=f"{REZAABAD}, the authors' code",
        note="The paper speaks of 12,000 faces of 64 × 64 and not of which; these are the first. "
        f"The critic's LeakyReLU is a ReLU here. {GREY}",
        settings={
            "data": CELEBA,
            "model": model("cnn_celeba", 100),
            "objective": infomax(1.0, 10.0, (2000, 1000, 100, 10)),
            "training": adam(1e-3, 50, 10, critic_learning_rate=1e-4, critic_steps=1),
        },
    ),
    "baseline-mnist-fc": Preset(
        title="“Info-VAE” baseline, MNIST FC",
        source=f"{REZAABAD}, the authors' code",
        note="What that paper calls Info-VAE is an MMD-VAE: the rate has weight 0. The whole "
        "setting, but for ReLU in place of LeakyReLU 0.2, and the initial weights.",
        settings={
            "data": MNIST,
            "model": model(
                "mlp",
                2,
                widths=(1000, 2000, 2000, 1000),
                decoder_widths=(),
                decoder_depth=None,
                activation="relu",
            ),
            "objective": infovae(1.0, 1000.0, **AUTHORS_MMD),
            "training": adam(1e-4, 100, 10),
        },
    ),
    "baseline-mnist-cnn": Preset(
        title="“Info-VAE” baseline, MNIST CNN",
        source=f"{REZAABAD}, the authors' code",
        note="What that paper calls Info-VAE is an MMD-VAE: the rate has weight 0. The "
        "network is that of InfoMax-VAE.",
        settings={
            "data": MNIST,
            "model": model("cnn_infomax", 20),
            "objective": infovae(1.0, 10_000.0, **AUTHORS_MMD),
            "training": adam(1e-3, 100, 10),
        },
    ),
    "baseline-cifar": Preset(
        title="“Info-VAE” baseline, CIFAR",
        source=f"{REZAABAD}, the authors' code",
        note="Half the rate and 1000 MMD², that is α = 0.5 and λ = 1000.5; for 5 to 10 epochs.",
        settings={
            "data": CIFAR,
            "model": model("cnn_cifar", 500),
            "objective": infovae(0.5, 1000.5, **AUTHORS_MMD),
            "training": adam(1e-3, 100, 10),
        },
    ),
    "baseline-beta-cifar": Preset(
        title="β-VAE baseline, CIFAR",
        source=f"{REZAABAD}, the authors' code",
        note="Its length is not known and stays as it is.",
        settings={
            "data": CIFAR,
            "model": model("cnn_cifar", 500),
            "objective": {"name": "BetaVAE", "beta": 4.0},
            "training": adam(1e-3, 100),
        },
    ),
    "decoder-depth": Preset(
        title="Decoder of 10 layers, MNIST",
        source=f"{REZAABAD}, Tables II and III",
        note="The deeper the decoder, the less a VAE's code says. The paper compares 2, 4 and 10 "
        "layers at z = 20 with one encoder; the widths are not published and are this program's.",
        settings={
            "data": MNIST,
            "model": model(
                "mlp", 20, widths=(512, 512), decoder_widths=(), decoder_depth=10, activation="relu"
            ),
            "objective": {"name": "VAE"},
        },
    ),
}
