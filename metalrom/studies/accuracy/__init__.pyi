from metalrom.studies.accuracy.chips import Chip as Chip, chips_of as chips_of
from metalrom.studies.accuracy.embeddings import SentenceSimilarity as SentenceSimilarity
from metalrom.studies.accuracy.measure import (
    Evaluation as Evaluation,
    PassResult as PassResult,
    Settings as Settings,
    evaluate_network as evaluate_network,
)
from metalrom.studies.accuracy.native import NativeBlocks as NativeBlocks
from metalrom.studies.accuracy.next_token import NextToken as NextToken
from metalrom.studies.accuracy.quantized import (
    ActivationRule as ActivationRule,
    ExactProduct as ExactProduct,
    QuantizedOperator as QuantizedOperator,
    WeightRule as WeightRule,
)
