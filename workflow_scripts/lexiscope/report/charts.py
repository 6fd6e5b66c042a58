"""The charts of training and of biases: Vega-Lite, described in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt

from lexiscope.report import formats
from lexiscope.report.drawing import WIDE, Chart, draw, log_axis, log_scale
from lexiscope.report.gather import Bias, History

MAX_POINTS = 1500
"""Points drawn of a scatter plot; more would weigh megabytes and show nothing else."""


def training_chart(model: str, history: History) -> Chart | None:
    """Training and validation perplexity by epoch; None where no perplexity was recorded.

    Where an epoch has several validations, they are spread evenly over it.
    """
    times = _times([record.epoch for record in history.validations])
    data = [
        {"epoch": time, "perplexity": value, "split": split}
        for split, field in (("training", "train_perplexity"), ("validation", "valid_perplexity"))
        for time, record in zip(times, history.validations, strict=True)
        if (value := getattr(record, field)) is not None
    ]
    if not data:
        return None
    splits = list(dict.fromkeys(str(datum["split"]) for datum in data))
    colours = {"training": "var(--muted)", "validation": "var(--family-language-model)"}
    n_epochs = max(record.epoch for record in history.validations)
    values = [float(str(datum["perplexity"])) for datum in data]
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(nice=False, zero=False),
        axis=alt.Axis(
            grid=False,
            **({"values": list(range(n_epochs + 1))} if n_epochs <= 10 else {"tickCount": 10}),
        ),
    )
    y = alt.Y(
        "perplexity:Q",
        title="perplexity (log scale)",
        scale=log_scale(min(values), max(values)),
        axis=log_axis(min(values), max(values)),
    )
    colour = alt.Color(
        "split:N", scale=alt.Scale(domain=splits, range=[colours[split] for split in splits]), legend=None
    )
    base = alt.Chart(alt.InlineData(values=data)).encode(x=x, y=y, color=colour)
    tooltip = [
        alt.Tooltip("split:N"),
        alt.Tooltip("epoch:Q", format=".2~f"),
        alt.Tooltip("perplexity:Q", format=",.1f"),
    ]
    ends = [[datum for datum in data if datum["split"] == split][-1] for split in splits]
    chart = alt.layer(
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=34, opacity=1).encode(tooltip=tooltip),
        # The curves often end at the same height: one label goes above, the other below.
        *(
            alt.Chart(alt.InlineData(values=[end]))
            .mark_text(align="left", dx=9, dy=dy, fontSize=12)
            .encode(x=x, y=y, color=colour, text="split:N")
            for end, dy in zip(sorted(ends, key=_height, reverse=True), (-7, 7), strict=False)
        ),
    ).properties(height=230)
    told = " and ".join(
        f"{formats.number(float(str(end['perplexity'])), 1)} on the {end['split']} text" for end in ends
    )
    return draw(
        anchor=f"training-{model}",
        title=model,
        chart=chart,
        width=WIDE,
        description=f"Perplexity of {model} over {n_epochs} epochs; it ends at {told}.",
    )


def _height(datum: dict[str, float | str]) -> float:
    return float(datum["perplexity"])


def _times(epochs: Sequence[int]) -> list[float]:
    """When each validation took place, in epochs, given the epoch that each falls into.

    >>> _times([1, 1, 2, 2]), _times([1, 2])
    ([0.5, 1.0, 1.5, 2.0], [1.0, 2.0])
    """
    totals = Counter(epochs)
    done: Counter[int] = Counter()
    times = []
    for epoch in epochs:
        done[epoch] += 1
        times.append(round(epoch - 1 + done[epoch] / totals[epoch], 4))
    return times


def bias_chart(bias: Bias) -> Chart | None:
    """Softmax bias against log count; None where the space has fewer than three counted words."""
    total = len(bias.words)
    if total < 3:
        return None
    # Every n-th word by frequency rank, so that what is drawn does not hang on a random draw.
    step = -(-total // MAX_POINTS)
    data = [
        {
            "word": bias.words[i],
            "count": round(float(bias.log_count[i]), 3),
            "bias": round(float(bias.bias[i]), 4),
        }
        for i in range(0, total, step)
    ]
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(alt.InlineData(values=data)).encode(
        x=alt.X("count:Q", title="ln(count in the corpus)", scale=scale, axis=alt.Axis(tickCount=8)),
        y=alt.Y("bias:Q", title="softmax bias", scale=scale, axis=alt.Axis(tickCount=6)),
    )
    points = base.mark_point(
        filled=True, size=20, opacity=0.5, color="var(--family-language-model)"
    ).encode(
        tooltip=[
            alt.Tooltip("word:N"),
            alt.Tooltip("count:Q", title="ln(count)"),
            alt.Tooltip("bias:Q"),
        ]
    )
    line = base.transform_regression("count", "bias").mark_line(color="var(--ink)", strokeWidth=1.5)
    r = formats.number(bias.pearson, 3)
    description = f"Softmax bias of {total:,} words against the logarithm of their count: Pearson r = {r}."
    return draw(
        anchor=f"bias-{bias.space}",
        title=bias.space,
        chart=alt.layer(points, line).properties(height=300),
        width=WIDE,
        description=description,
    )
