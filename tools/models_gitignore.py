"""Which of this repository's model files are committed to git, where every byte stays for ever.

``python -m tools.models_gitignore`` writes ``models/.gitignore``; run it after a build whose files will be shipped.
"""

from __future__ import annotations

from pathlib import Path

from harness.core.files import write_atomic
from harness.records import manifest as manifests
from harness.training.networks import registry

#: files of networks below this size are committed beside every int8.tflite (models/.gitignore is written from it)
COMMIT_BELOW = 2_000_000
#: used for an ablation table alone; its files are as large as the residual network's and are not committed
NOT_COMMITTED = ("vgg19",)
#: All TFLite files of the pruned network are committed, since none is the fastest on every processor. Of rivals, the
#: fastest on each (benchmarks/headline.py) is an int8 file; of other pruned networks int8.tflite is enough.
OURS = "resvgg19-pruned"


def gitignore(models: Path) -> str:
    """The text of ``models/.gitignore``: model files are excluded except every int8.tflite and named small ones."""
    lines = [
        "# Written by tools/models_gitignore.py: big files are rebuilt from their manifests, small ones are kept.",
        "*.tflite",
        "*.onnx",
        "!/*/int8.tflite",
    ]
    for name in manifests.names(models):
        if name in NOT_COMMITTED:
            lines.append(f"/{name}/int8.tflite")
            continue
        if name in _pruned_rivals():
            continue
        for artifact in manifests.load(models, name).artifacts:
            shipped = artifact.variant in ("fp32", "int8") or (name == OURS and artifact.format == "tflite")
            small = artifact.bytes < COMMIT_BELOW
            if shipped and small and artifact.filename != "int8.tflite":
                lines.append(f"!/{name}/{artifact.filename}")
    return "\n".join(lines) + "\n"


def _pruned_rivals() -> set[str]:
    return {n.name for n in registry.NETWORKS if n.pruned_from is not None and n.name != OURS}


def main() -> None:
    """Write the file."""
    models = Path(__file__).parents[1] / "models"
    write_atomic(models / ".gitignore", gitignore(models))


if __name__ == "__main__":
    main()
