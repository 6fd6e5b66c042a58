"""Sizes and strengths of the miniature."""

from __future__ import annotations

from pydantic import Field

from lexiscope.config.base import Section


class MiniatureConfig(Section):
    """What the artificial language and its data sets are made of."""

    nouns_per_subfield: int = Field(12, ge=5, le=60, description="common nouns in each semantic subfield")
    verbs_per_subfield: int = Field(5, ge=2, le=40, description="verbs in each subfield")
    adjectives_per_subfield: int = Field(6, ge=2, le=40, description="adjectives in each subfield")
    names_per_subfield: int = Field(36, ge=5, le=200, description="given names, cities, companies: each")
    derived_per_affix: int = Field(24, ge=4, le=200, description="rare words made with each affix")
    unattested_per_affix: int = Field(
        3,
        ge=0,
        le=20,
        description="words made with each affix that no text contains, for the rare word set",
    )

    latent_dim: int = Field(24, ge=8, le=128, description="dimensions of the meaning space")
    zipf_exponent: float = Field(
        0.95, gt=0, le=2, description="of the word frequencies inside a word class"
    )
    selectional_strength: float = Field(
        7.0, ge=0, le=20, description="how much meaning decides which words combine (0: not at all)"
    )
    topic_strength: float = Field(1.5, ge=0, le=5, description="how unevenly words spread over the topics")

    lm1b_tokens: int = Field(500_000, ge=1_000, description="training and held-out tokens together")
    lm1b_shards: int = Field(4, ge=1, le=100)
    lm1b_heldout_shards: int = Field(2, ge=2, le=50)
    lm1b_heldout_share: float = Field(0.05, gt=0, lt=0.5)
    ptb_tokens: int = Field(
        66_000, ge=1_000, description="before the punctuation is left out, as it is in this corpus"
    )
    wikitext_tokens: int = Field(40_000, ge=1_000)
    enwiki_tokens: int = Field(40_000, ge=1_000)

    simlex_pairs: int = Field(600, ge=20, le=5_000)
    ws353_pairs: int = Field(300, ge=20, le=5_000, description="in each of the two subsets")
    men_pairs: int = Field(1_000, ge=20, le=10_000)
    mturk_pairs: int = Field(300, ge=20, le=5_000)
    rareword_pairs: int = Field(600, ge=20, le=5_000)
    raters: int = Field(10, ge=1, le=100, description="simulated raters of a pair")
    rating_noise: float = Field(
        0.15, ge=0, le=1, description="standard deviation of one rater's error, as a share of the scale"
    )

    brain_noise: float = Field(
        3.0, ge=0, le=20, description="standard deviation of a sensor's noise relative to its signal's"
    )

    opinion_sentences: int = Field(
        1_200, ge=100, le=20_000, description="in each of MR, CR, MPQA and SUBJ, both classes together"
    )
    sst_train: int = Field(1_200, ge=50, le=20_000, description="in SST2 and in SST5")
    sst_valid: int = Field(300, ge=20, le=5_000)
    sst_test: int = Field(400, ge=20, le=5_000)
    trec_train: int = Field(900, ge=300, le=20_000)
    trec_test: int = Field(200, ge=50, le=5_000)
    label_noise: float = Field(
        0.4,
        ge=0,
        le=5,
        description="standard deviation of an annotator's error relative to that of what he judges",
    )

    mrpc_train: int = Field(600, ge=50, le=20_000, description="pairs; likewise the next seven")
    mrpc_test: int = Field(300, ge=20, le=5_000)
    sick_train: int = Field(700, ge=50, le=20_000)
    sick_valid: int = Field(150, ge=20, le=5_000)
    sick_test: int = Field(500, ge=20, le=10_000)
    stsb_train: int = Field(600, ge=50, le=20_000)
    stsb_valid: int = Field(150, ge=20, le=5_000)
    stsb_test: int = Field(200, ge=20, le=5_000)
    sts_pairs: int = Field(80, ge=10, le=2_000, description="rated pairs in each subset of STS 2012-2016")

    probing_train: int = Field(1_200, ge=120, le=100_000, description="sentences of each probing task")
    probing_heldout: int = Field(
        240, ge=60, le=10_000, description="for validation, and as many for the test"
    )
    probing_words: int = Field(20, ge=2, le=1_000, description="target words of the word content tasks")
    xprobe_valid: int = Field(1_000, ge=60, le=10_000)
    xprobe_test: int = Field(500, ge=60, le=10_000)

    treebank_train: int = Field(1_200, ge=20, le=50_000, description="trees; likewise the next two")
    treebank_heldout: int = Field(200, ge=10, le=5_000, description="for validation, and for the test")
    penn_trees: int = Field(1_200, ge=8, le=50_000, description="in the bracketed treebank")
