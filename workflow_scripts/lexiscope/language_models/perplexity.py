"""Perplexity of a text under a language model, with the full softmax."""

from __future__ import annotations

import math
import sys

import torch

from lexiscope.errors import LexiscopeError
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.distributed import World
from lexiscope.language_models.numerics import autocast
from lexiscope.language_models.softmax import exact_total_loss
from lexiscope.language_models.streams import NO_TARGET, Streams, Tokens
from lexiscope.progress import Progress


@torch.no_grad()
def perplexity(
    model: CharCNNLSTM, tokens: Tokens, precision: torch.dtype = torch.float32, world: World | None = None
) -> float:
    """Exponential of the mean negative log-probability of every token of a text.

    The text is read in ``batch_size`` parallel streams, each from a fresh state. Several processes divide
    the streams; each is told the perplexity of the whole text.

    Parameters
    ----------
    model
        The model; it is left in the mode, training or evaluation, that it was in.
    tokens
        Word ids.
    precision
        Of the products inside character CNN and LSTM; the softmax is always float32.
    world
        The processes that call this together; by default this one alone.

    Raises
    ------
    LexiscopeError
        If the text is empty or its perplexity is not a finite number.
    """
    if len(tokens) == 0:
        raise LexiscopeError("an empty text has no perplexity")
    world = World() if world is None else world
    device = model.softmax_weight.device
    weight, bias = model.output_layer()
    streams = Streams(tokens, model.config.batch_size, model.config.unroll)
    columns = world.share(streams.n_streams)
    n_columns = columns.stop - columns.start
    state = model.initial_state(n_columns)
    was_training = model.training
    model.eval()
    total = 0.0
    with autocast(device, precision):
        table = model.input_table()  # (V, d)
    with Progress("perplexity", total=len(tokens), unit="tokens") as progress:
        for number in range(len(streams) if n_columns else 0):
            inputs, targets = (ids[:, columns].to(device) for ids in streams.window(number))
            with autocast(device, precision):
                outputs, state = model(inputs, state, table)  # (t, b, d)
            present = targets != NO_TARGET  # (t, b)
            total += exact_total_loss(outputs[present], targets[present], weight, bias)
            progress.advance(streams.n_targets(number))
    model.train(was_training)
    mean = world.sum(total)[0] / len(tokens)
    if not mean < math.log(sys.float_info.max):
        raise LexiscopeError(f"the mean negative log-probability is {mean}: there is no perplexity")
    return math.exp(mean)
