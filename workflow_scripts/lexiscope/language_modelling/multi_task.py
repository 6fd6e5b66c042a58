"""Language models that predict the next word and, together with it, the domain of its sentence.

What Verwimp & Bellegarda (2019, section 5) propose as future work. Two questions: does perplexity fall, and
do the words that are topical of a domain stand nearer the top of the ranking?

A domain head, a softmax on the LSTM's outputs, tells at each token the domain of the sentence that the
next token belongs to. The LSTM is trained on the loss of the words plus the weight times that of the
domains. The head itself, through which the words learn nothing, always learns at full rate and is clipped
by itself: so a model of weight 0 is the plain language model, and its head tells what that knows of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from lexiscope.checkpoints import Checkpoint
from lexiscope.devices import choose_device
from lexiscope.digests import code_digest
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.files import digest_json, write_json
from lexiscope.language_modelling.config import ReverseTransferConfig
from lexiscope.language_modelling.domain_text import DomainText
from lexiscope.language_modelling.multi_task_figures import Outcome, describe_runs
from lexiscope.language_modelling.optimizers import ClippedAdam
from lexiscope.language_modelling.predict import Reader
from lexiscope.language_modelling.settings import ModelSpec, Settings, groups_of
from lexiscope.language_modelling.softmax import cross_entropy, log_probabilities
from lexiscope.language_modelling.train import Trainer, remove_checkpoint
from lexiscope.language_models.numerics import reproducible
from lexiscope.language_models.streams import NO_TARGET, Streams
from lexiscope.stage import stage_entry

Floats = NDArray[np.float64]

DOMAIN_HEAD = 2
"""Number of the stream of random numbers for the head's weights; those below are the language model's."""


@stage_entry
def train_multi_task(
    *,
    labelled: Path,
    config: Mapping[str, Any],
    protocol: Mapping[str, Any],
    output: Path,
    checkpoint: Path,
    threads: int,
    device: str = "auto",
) -> None:
    """Train language models on labelled text with several weights of the second loss, and compare them.

    They are models without pre-trained vectors, as the experiment's section describes them, over the words
    of the labelled training part. All figures are of the epoch that validates best by perplexity.

    Killed at any time and started again, it goes on from its last checkpoint; on a CPU with as many threads
    all figures but those of speed are then the same.

    Parameters
    ----------
    labelled
        Folder of the labelled text that `lexiscope.domains.labels` wrote.
    config
        A `ReverseTransferConfig` with a section ``multi_task``, as a mapping.
    protocol
        Fields of `ProtocolConfig`, for the number of resamples, their seed and the confidence.
    output
        The JSON file to write:

        ``domains``, ``vocabulary_size``, ``tokens`` of each part
            Of the text; ``majority`` is the share of the test tokens whose domain is the most frequent one.
        ``topical``
            ``words`` of each domain; at how many ``places`` of the test part, in how many ``sentences``,
            one stands in a sentence of its own domain.
        ``runs``
            Of each ``weight`` and ``seed``: ``perplexity`` on the test part, ``domain_accuracy`` over its
            tokens and ``mean_log_rank`` of topical words at their places, each as ``value``, ``ci_low`` and
            ``ci_high`` (or null); ``best_epoch``, and ``epochs`` as `TrainedModel` has them.
        ``weights``
            Of each ``weight`` the means over seeds, ``perplexity``, ``domain_accuracy`` and
            ``geometric_mean_rank``; and ``against``: with the lowest weight as ``weight``, the differences
            (this one less that one) of ``perplexity`` and ``geometric_mean_rank``, each with ``ci_low``,
            ``ci_high``, ``p_value`` and ``p_holm`` (corrected for all weights); null for the lowest itself.

        Intervals and tests are by paired bootstrap over test sentences.
    checkpoint
        A folder for unfinished work; it is removed at the end.
    threads, device
        CPU threads; ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    LexiscopeError
        If there is no such section, the labelled text cannot be read, or training diverges.
    """
    settings = ReverseTransferConfig.model_validate(config)
    if settings.multi_task is None:
        raise LexiscopeError("the experiment has no section 'multi_task'")
    rules = ProtocolConfig.model_validate(dict(protocol))
    data = DomainText.read(
        Path(labelled),
        vocabulary_size=settings.vocabulary_size,
        max_tokens=settings.max_tokens,
        seed=settings.seeds[0],
    )
    weight_of = {
        _spec(settings, weight, seed): weight
        for weight in settings.multi_task.weights
        for seed in settings.seeds
    }
    where = choose_device(device)
    recipe = Settings.of(settings)
    found: dict[ModelSpec, Outcome] = {}
    for number, group in enumerate(groups_of(list(weight_of), settings.together)):
        weights = [weight_of[spec] for spec in group]
        unfinished = Checkpoint(
            Path(checkpoint) / f"group-{number}", _identity(data, group, weights, recipe)
        )
        with reproducible(where, group[0].seed, threads):
            trainer = MultiTaskTrainer(data, group, weights, recipe, where, unfinished)
            trainer.run()
            found |= {run.model.spec: run for run in trainer.outcomes()}
    write_json(output, describe_runs(data, [found[spec] for spec in weight_of], rules))
    remove_checkpoint(Path(checkpoint))


def _spec(config: ReverseTransferConfig, weight: float, seed: int) -> ModelSpec:
    name = f"multi_task {weight:g} {seed}"
    return ModelSpec(name, "trainable", "trainable", compression=config.compression, seed=seed)


def _identity(
    data: DomainText, group: Sequence[ModelSpec], weights: Sequence[float], settings: Settings
) -> str:
    recipe = {key: value for key, value in asdict(settings).items() if key != "checkpoint_minutes"}
    models = [
        [spec.name, *map(str, spec.shape), spec.seed, weight]
        for spec, weight in zip(group, weights, strict=True)
    ]
    return digest_json([recipe, models, data.sha256, code_digest(Path(__file__)), torch.__version__])


# Training ---------------------------------------------------------------------------------------------


class DomainHead(nn.Module):
    """A softmax over domains for each of K models.

    Parameters
    ----------
    specs
        The models, whose seeds the initial weights come from.
    settings
        Width of the LSTM, range of initial weights.
    n_domains
        Number of classes, D.
    weights
        Of this loss for the LSTM, shape (K,).
    """

    weights: Tensor

    def __init__(
        self, specs: Sequence[ModelSpec], settings: Settings, n_domains: int, weights: Sequence[float]
    ) -> None:
        super().__init__()
        n_models, reach = len(specs), settings.init_range
        weight = torch.empty(n_models, n_domains, settings.hidden_size)
        for row, spec in zip(weight, specs, strict=True):
            seed = int(np.random.SeedSequence([spec.seed, DOMAIN_HEAD]).generate_state(1)[0])
            row.uniform_(-reach, reach, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_models, n_domains))
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def loss(self, outputs: Tensor, labels: Tensor, precision: torch.dtype, divide_by: float) -> Tensor:
        """Sum of negative log-probabilities of the labels under each model, in nats, shape (K,).

        What flows back into the outputs is multiplied by the models' weights.

        Parameters
        ----------
        outputs
            Of the LSTM, (K, T, B, h).
        labels
            Classes, (T, B); `NO_TARGET` where there is none.
        precision
            Of the matrix products.
        divide_by
            What the sums are divided by.
        """
        scales = self.weights.to(outputs.dtype)[:, None, None]
        branch = outputs.flatten(1, 2).clone()
        branch.register_hook(lambda gradient: gradient * scales)  # type: ignore[no-untyped-call]
        wanted = labels.flatten()
        if (wanted == NO_TARGET).any():
            places = (wanted != NO_TARGET).nonzero()[:, 0]
            branch, wanted = branch[:, places], wanted[places]
        return cross_entropy(branch, self.weight, self.bias, wanted, precision, divide_by)

    @torch.no_grad()
    def predicted(self, outputs: Tensor) -> Tensor:
        """The most likely class at each place: (K, n, h) → (K, n)."""
        return torch.baddbmm(self.bias[:, None], outputs.float(), self.weight.transpose(1, 2)).argmax(2)


class AdamWithHead(ClippedAdam):
    """Adam for the language models, and separately for their heads."""

    def __init__(
        self, models: Iterable[nn.Parameter], head: Iterable[nn.Parameter], clip_norm: float
    ) -> None:
        super().__init__(models, clip_norm)
        self.head = ClippedAdam(head, clip_norm)

    def step(self, learning_rate: float) -> None:
        """Take a step and forget the gradients."""
        super().step(learning_rate)
        self.head.step(learning_rate)

    @property
    def stateful(self) -> list[Optimizer]:
        """Torch's optimisers, whose state a checkpoint has to hold."""
        return [*super().stateful, *self.head.stateful]


class MultiTaskTrainer(Trainer):
    """A group in training whose models have a domain head; it is part of the model, as ``domain_head``."""

    def __init__(
        self,
        data: DomainText,
        group: Sequence[ModelSpec],
        weights: Sequence[float],
        settings: Settings,
        device: torch.device,
        unfinished: Checkpoint,
    ) -> None:
        super().__init__(data.text, group, settings, device, unfinished)
        self.data, self.weights = data, weights
        self.labels = Streams(data.labels["train"].astype(np.uint32), settings.batch_size, settings.unroll)
        self.head = DomainHead(group, settings, len(data.domains), weights).to(device)
        own = list(self.model.parameters())
        self.model.add_module("domain_head", self.head)
        self.optimizer = AdamWithHead(own, self.head.parameters(), settings.clip_norm)
        self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def train_step(self) -> int:
        """Train on the next window; returns the number of its targets."""
        at = self.at
        inputs, targets = (ids.to(self.device) for ids in self.streams.window(at.window))
        labels = self.labels.window(at.window)[1].to(self.device)
        self.model.train()
        outputs, self.hidden = self.model(inputs, self.hidden)
        losses, exact = self.losses(outputs, targets)
        of_domains = self.head.loss(outputs, labels, self.precision, self.streams.n_streams)
        torch.autograd.backward(losses.sum() + of_domains.sum())
        self.optimizer.step(self.settings.learning_rate_of(at.epoch + 1))
        return self.end_step(losses + of_domains, exact)

    def outcomes(self) -> list[Outcome]:
        """What the models do on the test part, read as one stream, after their best epochs; float32."""
        trained = self.finish()
        self.model.load_state_dict(self.best)
        self.model.eval()
        ids, text = self.text.splits["test"], self.text
        labels = torch.from_numpy(self.data.labels["test"]).to(self.device)
        places = torch.from_numpy(self.data.topical_places).to(self.device)
        reader = Reader(self.model, len(ids))
        right, log_ranks, start = [], [], 0
        for outputs, targets in reader.windows(ids, 1):
            here = slice(start, start + len(targets))
            right.append((self.head.predicted(outputs) == labels[here]).cpu().double().numpy())
            log_ranks.append(self._log_ranks(reader, outputs, targets, places[here]))
            start += len(targets)
        sums = [
            text.sums_of_sentences("test", np.concatenate(parts, axis=1)) for parts in (right, log_ranks)
        ]
        return [
            Outcome(model, weight, told, ranks)
            for model, weight, told, ranks in zip(trained, self.weights, *sums, strict=True)
        ]

    def _log_ranks(self, reader: Reader, outputs: Tensor, targets: Tensor, places: Tensor) -> Floats:
        """Logarithm of each target's rank, (K, n); 0 at other places. Equally likely words come first."""
        found = np.zeros(outputs.shape[:2])
        if places.any():
            chances = log_probabilities(outputs[:, places], reader.output_weight, reader.output_bias)
            own = chances.gather(2, targets[places].expand(len(chances), -1)[..., None])
            found[:, places.cpu().numpy()] = np.log((chances >= own).sum(2).cpu().numpy())
        return found
