"""Accuracy of real networks with their weights in the macro: similarity judgements, next tokens (loaded lazily)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from metalrom.studies.accuracy.chips import Chip, chips_of
    from metalrom.studies.accuracy.embeddings import SentenceSimilarity
    from metalrom.studies.accuracy.measure import Evaluation, PassResult, Settings, evaluate_network
    from metalrom.studies.accuracy.native import NativeBlocks
    from metalrom.studies.accuracy.next_token import NextToken
    from metalrom.studies.accuracy.quantized import ActivationRule, ExactProduct, QuantizedOperator, WeightRule

_HOME = {
    "Chip": "chips",
    "chips_of": "chips",
    "SentenceSimilarity": "embeddings",
    "NativeBlocks": "native",
    "NextToken": "next_token",
    "Evaluation": "measure",
    "PassResult": "measure",
    "Settings": "measure",
    "evaluate_network": "measure",
    "ActivationRule": "quantized",
    "ExactProduct": "quantized",
    "QuantizedOperator": "quantized",
    "WeightRule": "quantized",
}

__all__ = [
    "ActivationRule",
    "Chip",
    "Evaluation",
    "ExactProduct",
    "NativeBlocks",
    "NextToken",
    "PassResult",
    "QuantizedOperator",
    "SentenceSimilarity",
    "Settings",
    "WeightRule",
    "chips_of",
    "evaluate_network",
]

__getattr__ = lazy_names(__name__, _HOME)
