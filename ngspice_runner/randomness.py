"""Decks that draw random numbers: recognised, given a seed each, and never taken for one another.

ngspice draws anew in every process unless the option `seed` is set. A job without a seed gets one drawn here, which is
part of its key and of the result's provenance: the same job with that seed gives the same numbers again. Transient
noise follows no seed in ngspice 39; its results are never kept.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace

from ngspice_runner.job import Job

DEFAULT_SEED = 1
"""Of decks in which only an included file has random functions: model libraries have them behind a switch."""
_CALLS = rb"(?:a?gauss|a?unif|sgauss|sunif|rnd|poisson|exponential)[ \t]*\(|limit[ \t]*\([^,()\n]*,[^,()\n]*\)"
FUNCTIONS = re.compile(rb"^(?![ \t]*\*).*?\b(?:" + _CALLS + rb")", re.IGNORECASE | re.MULTILINE)
_NOISE = re.compile(rb"^(?![ \t]*\*).*?\btr(?:noise|random)\b", re.IGNORECASE | re.MULTILINE)
_OWN_SEED = re.compile(
    rb"^[ \t]*(?:\.options?\b.*\bseed[ \t]*=[ \t]*\d|setseed[ \t]+\d|set[ \t]+rndseed[ \t]*=[ \t]*\d)",
    re.IGNORECASE | re.MULTILINE,
)
_WORDS = ("gauss", "unif", "limit", "rnd", "poisson", "exponential", "trnoise", "trrandom")


def draws_numbers(text: str) -> bool:
    """True when equal runs of a deck differ unless they are given a seed."""
    lowered = text.lower()
    if not any(word in lowered for word in _WORDS):
        return False
    data = lowered.encode("utf-8", "surrogateescape")
    return bool(_NOISE.search(data)) or (bool(FUNCTIONS.search(data)) and not _OWN_SEED.search(data))


def has_transient_noise(text: str) -> bool:
    """True when a deck has sources whose noise no seed repeats."""
    lowered = text.lower()
    named = "trnoise" in lowered or "trrandom" in lowered
    return named and bool(_NOISE.search(lowered.encode("utf-8", "surrogateescape")))


def with_seed(job: Job) -> Job:
    """The job with a seed drawn for it, if it needs one and has none."""
    if job.seed is not None or not draws_numbers(job.text):
        return job
    return replace(job, seed=1 + secrets.randbelow(2**31 - 2))
