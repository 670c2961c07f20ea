"""Public and measured numbers that reports draw for comparison."""

from metalrom.reports.content import CliffPoint, NoiseCliff, Reference

DENSITY_3D_METRO = Reference(
    label="3D-METRO (ASP-DAC 2025)",
    value=165.6,
    unit="Mb/mm2",
    source="published, evaluated (not fabricated); doi 10.1145/3658617.3697570. The paper's circuit is not public and "
    "whether this is a cell or a macro density is not known.",
)

MINILM_NOISE_CLIFF = NoiseCliff(
    title="MiniLM-L6, 8-bit weights and activations",
    metric="mean cosine of the embeddings to the float model",
    # Gaussian noise of sigma counts before rounding to counts; code error = 2 Q(1 / (2 sigma)).
    points=(
        CliffPoint(0.11, 6e-6, 0.995),
        CliffPoint(0.125, 6e-5, 0.991),
        CliffPoint(0.14, 4e-4, 0.952),
        CliffPoint(0.16, 2e-3, 0.830),
        CliffPoint(0.2, 1e-2, 0.387),
        CliffPoint(0.28, 7e-2, 0.07),
    ),
    status="measured",
    source="bit-serial emulation with differential columns and 64-row groups, 110 words, no retraining",
)
