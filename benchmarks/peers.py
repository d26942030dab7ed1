"""The loops that a step of ours is measured beside; each yields after every step.

pythae (`pip install -r benchmarks/requirements.txt`) trains the same networks by its own trainer
and losses; the loader's loop is what a tutorial has.
"""

import tempfile
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from infovae_core import products, training
from infovae_core.config import RunConfig
from infovae_core.data import Dataset
from infovae_core.divergences import mmd2

Steps = Iterator[object]


def bare(config: RunConfig, data: Dataset) -> Steps:
    """Nothing but arithmetic: index-selected batches, the loss written out, fused Adam."""
    state, objective = training.init(config, data), config.objective
    model, x, batch = state.model, data.train.x, config.training.batch_size
    [critic] = state.critics.values() or [None]
    while True:
        order = torch.randperm(len(x), device=x.device)
        for rows in order[: len(x) // batch * batch].view(-1, batch):
            images = x.index_select(0, rows)
            mean, log_var = model.encoder(images).chunk(2, -1)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            if critic is not None:
                follow(state.critic_optimizer, against(objective, critic, images, z.detach()))
            logits = model.decoder(z)
            loss = F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / batch
            rate = 0.5 * (log_var.exp() + mean.square() - 1 - log_var).sum() / batch
            loss = loss + objective.weights[0] * rate
            if len(objective.weights) > 1:
                loss = loss + objective.weights[1] * beyond_rate(objective, critic, images, z)
            follow(state.optimizer, loss)
            yield


def products_alone(config: RunConfig, data: Dataset) -> Steps:
    """The matrix products of a step of an MLP, and nothing else: what no way can do without."""
    model, device = training.init(config, data).model, data.train.x.device
    multiply = products.product if device.type == "cpu" and products.pay() else torch.mm
    each = []
    for layer in (m for m in model.modules() if isinstance(m, nn.Linear)):
        w = layer.weight.detach()
        x, g = (torch.randn(config.training.batch_size, n, device=device) for n in w.T.shape)
        each += [(x, w.T), (g.T, x)] + ([(g, w)] if each else [])  # images need no gradient
    while True:
        for a, b in each:
            multiply(a, b)
        yield


def follow(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def beyond_rate(objective, critic, x, z) -> torch.Tensor:
    """The second term: MMD², what the encoder follows of JSD, or the f-dual of KL."""
    if objective.name == "InfoMaxVAE":
        x = x.flatten(1)
        return critic(x, z).mean() - (critic(x, z.roll(1, 0)) - 1).exp().mean()
    if objective.divergence == "jensen":
        return F.softplus(-critic(z)).mean()
    return mmd2(z, torch.randn_like(z), objective.kernel)


def against(objective, critic, x, z) -> torch.Tensor:
    """What the critic descends."""
    if objective.name == "InfoMaxVAE":
        return -beyond_rate(objective, critic, x, z)
    return F.softplus(-critic(torch.randn_like(z))).mean() + F.softplus(critic(z)).mean()


def loader(config: RunConfig, data: Dataset) -> Steps:
    """A DataLoader, plain Adam, and the loss read at every step."""
    model, device = training.init(config, data).model, data.train.x.device
    optimizer = torch.optim.Adam(model.parameters(), config.training.learning_rate)
    images = torch.utils.data.TensorDataset(data.train.x.cpu())
    batches = torch.utils.data.DataLoader(
        images, config.training.batch_size, shuffle=True, drop_last=True
    )
    while True:
        total = 0.0
        for (x,) in batches:
            x = x.to(device)
            mean, log_var = model.encoder(x).chunk(2, -1)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            p = model.decoder(z).sigmoid()
            loss = F.binary_cross_entropy(p, x, reduction="sum") / len(x)
            loss = loss - 0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum() / len(x)
            if config.objective.name == "InfoVAE":
                loss = loss + mmd2(z, torch.randn_like(z), config.objective.kernel)
            follow(optimizer, loss)
            total += loss.item()
            yield


def pythae(config: RunConfig, data: Dataset) -> Steps:
    """pythae's trainer: an epoch at a time, whose steps are yielded together after it."""
    from pythae import models
    from pythae.data.datasets import BaseDataset
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    ours, objective = training.init(config, data).model, config.objective

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = ours.encoder

        def forward(self, x: torch.Tensor) -> ModelOutput:
            mean, log_var = self.net(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(ours.decoder, nn.Sigmoid())

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z))

    fields = {
        "input_dim": tuple(data.shape),
        "latent_dim": config.model.latent_dim,
        "reconstruction_loss": "bce",
    }
    if objective.name == "InfoVAE":
        numbers = {"alpha": objective.alpha, "lbd": objective.lam}
        settings = models.INFOVAE_MMD_Config(**fields, **numbers, kernel_choice=objective.kernel)
        model = models.INFOVAE_MMD(settings, Encoder(), Decoder())
    else:
        model = models.VAE(models.VAEConfig(**fields), Encoder(), Decoder())
    with tempfile.TemporaryDirectory() as folder:
        how = BaseTrainerConfig(
            output_dir=folder,
            per_device_train_batch_size=config.training.batch_size,
            learning_rate=config.training.learning_rate,
            optimizer_cls="Adam",
            no_cuda=data.train.x.device.type == "cpu",
        )
        images = BaseDataset(data.train.x.cpu(), data.train.y.cpu())
        trainer = BaseTrainer(model, images, training_config=how)
        trainer.prepare_training()
        epoch = 0
        while True:
            trainer.train_step(epoch := epoch + 1)
            yield from range(len(trainer.train_loader))
