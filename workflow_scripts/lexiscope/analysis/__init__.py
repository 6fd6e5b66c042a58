"""Analyses beside the benchmarks (Derby et al. 2020, appendix): the softmax bias, and maps of words."""
