"""The grammar of a study file, as typed models.

Each stage owns the models of its own section; this module puts them together and checks the names that
sections use of one another.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from lexiscope.activation_maximisation.config import ActivationMaximisationConfig, L2PathConfig
from lexiscope.analysis.config import AnalysisConfig
from lexiscope.config.base import Name, Section, SeededSection
from lexiscope.corpora.config import CorpusConfig
from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.domains.config import BiLMConfig, DomainClassifierConfig, DomainsConfig
from lexiscope.embeddings.config import (
    CONTROL,
    AllButTheTopConfig,
    CentredConfig,
    ExportFormat,
    FastTextConfig,
    FileConfig,
    GloVeConfig,
    PCAConfig,
    RandomConfig,
    Word2VecConfig,
)
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.language_modelling.config import NNLMConfig, ReverseTransferConfig
from lexiscope.language_models.config import CharCNNLSTMConfig, InputSpaceConfig, OutputSpaceConfig
from lexiscope.language_models.imports.config import HuggingFaceConfig, LM1BConfig, SoftmaxFileConfig
from lexiscope.probes.config import ProbeConfig
from lexiscope.report.config import ReportConfig

StudyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]

LanguageModelConfig = Annotated[
    CharCNNLSTMConfig | LM1BConfig | HuggingFaceConfig | SoftmaxFileConfig,
    Field(discriminator="kind"),
]

SpaceConfig = Annotated[
    Word2VecConfig
    | GloVeConfig
    | FastTextConfig
    | RandomConfig
    | InputSpaceConfig
    | OutputSpaceConfig
    | ActivationMaximisationConfig
    | CentredConfig
    | AllButTheTopConfig
    | PCAConfig
    | DomainClassifierConfig
    | BiLMConfig
    | FileConfig,
    Field(discriminator="kind"),
]


SEED_MARK = ".seed"
"""Stands in the names of a space's further seeds (``word2vec.seed2``); no name a user gives has a dot."""


class DataConfig(Section):
    """Where data come from."""

    source: Literal["miniature", "mirror", "download"] = "miniature"
    root: str | None = Field(None, description="The mirror's folder, or where downloads are kept.")
    miniature: MiniatureConfig = MiniatureConfig()

    @model_validator(mode="after")
    def _mirror_needs_root(self) -> DataConfig:
        if self.source == "mirror" and self.root is None:
            raise ValueError("source 'mirror' needs the key 'root', the folder that holds the data")
        return self


class LexiconConfig(Section):
    """The words that all spaces share: the ``size`` most frequent of a corpus's vocabulary."""

    corpus: Name | None = Field(None, description="By default that of the first language model or space.")
    size: int = Field(20_000, ge=10)


class Study(Section):
    """A whole study."""

    study: StudyName
    seed: int = Field(1, ge=0, lt=2**31, description="Every random choice of the study derives from it.")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    data: DataConfig = DataConfig()
    corpora: dict[Name, CorpusConfig] = Field({})
    language_models: dict[Name, LanguageModelConfig] = Field({})
    lexicon: LexiconConfig = LexiconConfig()
    spaces: dict[Name, SpaceConfig] = Field(min_length=1)
    random_control: bool = Field(
        True, description="A study with tasks but without random vectors gets some, like its first space."
    )
    l2_paths: dict[Name, L2PathConfig] = Field({})
    probes: dict[Name, ProbeConfig] = Field({})
    tasks: tuple[str, ...] = ()
    protocol: ProtocolConfig = ProtocolConfig()
    domains: dict[Name, DomainsConfig] = Field({})
    nnlm: NNLMConfig | None = None
    reverse_transfer: ReverseTransferConfig | None = None
    analysis: AnalysisConfig = AnalysisConfig()
    export: tuple[ExportFormat, ...] = ()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _random_vectors_in_every_table(self) -> Study:
        """Add a space of random vectors with the words and norms of the first, where one is missing."""
        if not (self.random_control and self.tasks) or CONTROL in self.spaces:
            return self
        if any(isinstance(space, RandomConfig) for space in self.spaces.values()):
            return self
        control = RandomConfig(kind="random", like=next(iter(self.spaces)))
        return self.model_copy(update={"spaces": {**self.spaces, CONTROL: control}})

    @model_validator(mode="after")
    def _one_space_for_each_seed(self) -> Study:
        """Put each space of several ``seeds`` in its place once for each, the first under its own name."""
        spaces = {
            called: made
            for name, space in self.spaces.items()
            for called, made in _replicates(name, space).items()
        }
        return self if len(spaces) == len(self.spaces) else self.model_copy(update={"spaces": spaces})


def _replicates(name: str, space: SpaceConfig) -> dict[str, SpaceConfig]:
    if not isinstance(space, SeededSection) or not space.seeds:
        return {name: space}
    names = [name, *(f"{name}{SEED_MARK}{seed}" for seed in space.seeds[1:])]
    made = [space.model_copy(update={"seed": seed, "seeds": ()}) for seed in space.seeds]
    return dict(zip(names, made, strict=True))
