"""A small model in the files of the lm_1b release, and what it computes told once more in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

DIM, SHARDS, ROWS, LENGTH, CHARACTER_DIM = 6, 8, 5, 50, 4
WIDTHS = {1: 3, 2: 5, 4: 4}  # filters by width
FEATURES = sum(WIDTHS.values())
LONG = "pneumono" * 8  # 64 letters: more than the model sees
WORDS = (
    *("</S>", "<S>", "<UNK>", "the", ",", ".", "of", "and", "café", "naïve", "mat\u2028e", "Paris", "1999"),
    *(LONG, "x"),
    *(f"word{number}" for number in range(22)),
)
assert len(WORDS) == SHARDS * ROWS - 3


def draw_numbers(seed: int = 0) -> dict[str, np.ndarray]:
    """All variables of the model by name."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.5, shape).astype(np.float32)

    numbers = {
        "char_embedding/W_0": normal(128, CHARACTER_DIM),
        "char_embedding/W_1": normal(128, CHARACTER_DIM),
    }
    for width, filters in WIDTHS.items():
        numbers[f"cnn/W_{width}"] = normal(1, width, CHARACTER_DIM, filters)
        numbers[f"cnn/b_{width}"] = normal(filters)
    for layer in range(2):
        for part in ("gate", "carry"):
            numbers[f"highway_{layer}/W_{part}"] = normal(FEATURES, FEATURES)
            numbers[f"highway_{layer}/b_{part}"] = normal(FEATURES)
    numbers["projection/W"], numbers["projection/b"] = normal(FEATURES, DIM), normal(DIM)
    for shard in range(SHARDS):
        numbers[f"softmax/W_{shard}"] = normal(ROWS, DIM)
    rank = np.arange(1, SHARDS * ROWS + 1)
    numbers["softmax/b"] = (5 - np.log(rank) + generator.normal(0, 0.3, rank.size)).astype(np.float32)
    return numbers


def write_release(
    folder: Path, numbers: Mapping[str, np.ndarray], *, takes: str = "batch", v2: bool = False
) -> Path:
    """Write the files of the release; the graph takes words as a batch, as time steps, or one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab-2016-09-10.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    write_graph(folder, numbers, takes)
    for name in ("base", "char-embedding", "lstm", *(f"softmax{number}" for number in range(SHARDS + 1))):
        write_checkpoint(folder / f"ckpt-{name}", _in_file(name, numbers), v2=v2)
    return folder


def _in_file(name: str, numbers: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if name == "base":
        return {"global_step": np.zeros(1, np.float32), "projection/b": numbers["projection/b"]}
    if name == "lstm":
        return {"lstm/B": np.zeros(4, np.float32)}
    if name == f"softmax{SHARDS}":
        return {"softmax/b": numbers["softmax/b"]}
    if name.startswith("softmax"):
        variable = f"softmax/W_{name.removeprefix('softmax')}"
        return {variable: numbers[variable]}
    aside = ("softmax/", "projection/b")
    return {key: value for key, value in numbers.items() if not key.startswith(aside)}


def write_checkpoint(path: Path, values: Mapping[str, np.ndarray], *, v2: bool = False) -> None:
    """One checkpoint file, in the first format of TensorFlow (that of the release) or the second."""
    import tensorflow

    v1 = tensorflow.compat.v1
    with tensorflow.Graph().as_default(), v1.Session() as session:
        variables = {
            name: v1.get_variable(name, initializer=value, use_resource=False)
            for name, value in values.items()
        }
        session.run(v1.global_variables_initializer())
        version = v1.train.SaverDef.V2 if v2 else v1.train.SaverDef.V1
        saver = v1.train.Saver(variables, write_version=version)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


def write_graph(folder: Path, numbers: Mapping[str, np.ndarray], takes: str) -> None:
    """The graph, with the nodes by which the release saves and restores itself."""
    import tensorflow
    from google.protobuf import text_format

    v1 = tensorflow.compat.v1
    with tensorflow.Graph().as_default() as graph:
        variable = {
            name: v1.get_variable(name, shape=value.shape, use_resource=False)
            for name, value in numbers.items()
        }
        shape = {"batch": [None, 1], "time": [1, None], "single": [1, 1]}[takes]
        ids = v1.placeholder(tensorflow.int32, [*shape, LENGTH], name="char_inputs_in")
        # "time" and "single" hold the one word, or the one sentence, that they take in the graph itself.
        words = (
            tensorflow.squeeze(ids, axis=0)
            if takes == "time"
            else tensorflow.reshape(ids, [1 if takes == "single" else -1, LENGTH])
        )
        table = [variable["char_embedding/W_0"], variable["char_embedding/W_1"]]
        image = v1.nn.embedding_lookup(table, words, partition_strategy="mod")[:, None, :, :]
        found = []
        for width in WIDTHS:
            filtered = v1.nn.conv2d(image, variable[f"cnn/W_{width}"], [1, 1, 1, 1], "VALID")
            active = tensorflow.nn.relu(filtered + variable[f"cnn/b_{width}"])
            pooled = v1.nn.max_pool(active, [1, 1, LENGTH - width + 1, 1], [1, 1, 1, 1], "VALID")
            found.append(tensorflow.squeeze(pooled, axis=[1, 2]))
        x = tensorflow.concat(found, axis=1)
        for layer in range(2):
            gate, carry = (
                x @ variable[f"highway_{layer}/W_{part}"] + variable[f"highway_{layer}/b_{part}"]
                for part in ("gate", "carry")
            )
            gate = tensorflow.sigmoid(gate)
            x = gate * tensorflow.nn.relu(carry) + (1 - gate) * x
        tensorflow.add(x @ variable["projection/W"], variable["projection/b"], name="all_embs_out")
        weights = tensorflow.concat([variable[f"softmax/W_{shard}"] for shard in range(SHARDS)], axis=1)
        tensorflow.reshape(weights, [-1, DIM], name="Reshape_3")
        v1.train.Saver(write_version=v1.train.SaverDef.V1)
        definition = graph.as_graph_def()
    for node in definition.node:
        # As in 2016: the old name of the operation, and a machine that is not this one.
        node.op = "Variable" if node.op == "VariableV2" else node.op
        node.device = "/job:worker/task:3/device:GPU:5"
        if node.name == "all_embs_out":
            node.attr["_class"].list.s.append(b"loc:@lstm/somewhere_else")
    (folder / "graph-2016-09-10.pbtxt").write_text(
        text_format.MessageToString(definition), encoding="utf-8"
    )


def change_graph(folder: Path, change: Any) -> None:
    """Let ``change`` edit the graph definition of a release."""
    import tensorflow
    from google.protobuf import text_format

    path = folder / "graph-2016-09-10.pbtxt"
    definition = text_format.Parse(path.read_text(encoding="utf-8"), tensorflow.compat.v1.GraphDef())
    change(definition, {node.name: node for node in definition.node})
    path.write_text(text_format.MessageToString(definition), encoding="utf-8")


def embed_in_numpy(numbers: Mapping[str, np.ndarray], word: str) -> np.ndarray:
    """The input embedding of one word in float64. No word has a byte below 5: the markers are 0 to 4."""
    body = {"<S>": [0], "</S>": [1]}.get(word, list(word.encode()[:48]))
    ids = [2, *body, 3] + [4] * (LENGTH - 2 - len(body))
    # Row i of the table is row i // 2 of part i mod 2.
    characters = np.stack([numbers[f"char_embedding/W_{i % 2}"][i // 2] for i in ids]).astype(np.float64)
    features: list[float] = []
    for width, filters in WIDTHS.items():
        kernel, bias = numbers[f"cnn/W_{width}"][0].astype(np.float64), numbers[f"cnn/b_{width}"]
        for number in range(filters):
            windows = (characters[at : at + width] for at in range(LENGTH - width + 1))
            features.append(max(max(0.0, (w * kernel[:, :, number]).sum() + bias[number]) for w in windows))
    x = np.array(features)
    for layer in range(2):
        gate, carry = (
            x @ numbers[f"highway_{layer}/W_{part}"] + numbers[f"highway_{layer}/b_{part}"]
            for part in ("gate", "carry")
        )
        gate = 1 / (1 + np.exp(-gate))
        x = gate * np.maximum(carry, 0) + (1 - gate) * x
    return x @ numbers["projection/W"] + numbers["projection/b"]
