"""Perplexity of a text under a language model, with the full softmax."""

from __future__ import annotations

import math
import sys

import torch

from lexiscope.errors import LexiscopeError
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.softmax import exact_total_loss
from lexiscope.language_models.streams import NO_TARGET, Streams, Tokens
from lexiscope.progress import Progress


@torch.no_grad()
def perplexity(model: CharCNNLSTM, tokens: Tokens, precision: torch.dtype = torch.float32) -> float:
    """Exponential of the mean negative log-probability of every token of a text.

    The text is read in ``batch_size`` parallel streams, each from a fresh state.

    Parameters
    ----------
    model
        The model; it is left in the mode, training or evaluation, that it was in.
    tokens
        Word ids.
    precision
        Of the products inside character CNN and LSTM; the softmax is always float32.

    Raises
    ------
    LexiscopeError
        If the text is empty or its perplexity is not a finite number.
    """
    if len(tokens) == 0:
        raise LexiscopeError("an empty text has no perplexity")
    device = model.softmax_weight.device
    weight, bias = model.output_layer()
    streams = Streams(tokens, model.config.batch_size, model.config.unroll)
    state = model.initial_state(streams.n_streams)
    was_training = model.training
    model.eval()
    total = 0.0
    with autocast(device, precision):
        table = model.input_table()  # (V, d)
    with Progress("perplexity", total=len(tokens), unit="tokens") as progress:
        for number in range(len(streams)):
            inputs, targets = (ids.to(device) for ids in streams.window(number))
            with autocast(device, precision):
                outputs, state = model(inputs, state, table)  # (t, b, d)
            present = targets != NO_TARGET  # (t, b)
            total += exact_total_loss(outputs[present], targets[present], weight, bias)
            progress.advance(int(present.sum()))
    model.train(was_training)
    mean = total / len(tokens)
    if not mean < math.log(sys.float_info.max):
        raise LexiscopeError(f"the mean negative log-probability is {mean}: there is no perplexity")
    return math.exp(mean)


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Context in which matrix products are done in ``precision``."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
