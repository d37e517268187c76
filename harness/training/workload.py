"""The work of a build before it begins: its trainings, how long they will take here, and how far stored ones are.

The trainings are those of :mod:`harness.training.job` and :mod:`harness.training.compress.pipeline`; a test holds the
folders named here against those that a build leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.training.job import TrainingJob
from harness.training.networks import registry
from harness.training.networks.registry import Network
from harness.training.pace import FORWARD, Pace
from harness.training.train.checkpoint import trained_epochs
from harness.training.train.recipe import recipe_for

STATE = "state.json"


@dataclass(frozen=True)
class Portion:
    """One training of a build, or one pass of a teacher over the images.

    Attributes:
        folder: the folder of a network's training state.
        pattern: the file there that tells how far it is. The folder of a pruning is named after weights that may not
            exist yet, hence a pattern.
        epochs: at most; 1 for a teacher's answers.
        epoch_s: seconds of an epoch.
        start_s: seconds before the first epoch.
    """

    folder: Path
    pattern: str
    epochs: int
    epoch_s: float
    start_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Seconds from nothing."""
        return self.start_s + self.epochs * self.epoch_s

    @property
    def left_s(self) -> float:
        """Seconds that are left, given what is stored."""
        left = self.epochs - self._done()
        return self.start_s + left * self.epoch_s if left > 0 else 0.0

    def _done(self) -> int:
        files = sorted(self.folder.glob(self.pattern))
        if not self.pattern.endswith(STATE):
            return self.epochs if files else 0
        return max((trained_epochs(file.parent) for file in files), default=0)


def portions(job: TrainingJob, pace: Pace) -> list[Portion]:
    """The trainings of a job in order, that of a pruned network's parent included; exporting is not among them."""
    if job.network.pruned_from is None:
        return [_trained(job, job.network, pace)]
    first, parent = replace(job, seed=job.split.seed), registry.get(job.network.pruned_from)
    return [_trained(first, parent, pace), *_lessons(job, pace), *_rounds(job, pace)]


def _passed(job: TrainingJob) -> float:
    """Training images of an epoch; those for validation are counted by what they cost."""
    return len(job.split.train) + len(job.split.validation) * FORWARD


def _trained(job: TrainingJob, network: Network, pace: Pace) -> Portion:
    rate = pace.rates[network.name]
    recipe = recipe_for(job.profile, rate.macs, len(job.split.train))
    return Portion(
        folder=job.folder(network.name),
        pattern=STATE,
        epochs=recipe.epochs,
        epoch_s=rate.seconds * _passed(job),
        start_s=rate.start_s,
    )


def _lessons(job: TrainingJob, pace: Pace) -> list[Portion]:
    """The answers of a teacher that are stored once, and its own training where it isn't the parent."""
    from harness.training.compress import distil

    images, parent = len(job.split.train), str(job.network.pruned_from)
    other = job.network.pruning.teacher if job.task is None else None
    if other is None:
        seconds = pace.answer_s(parent) * images * distil.SETS
        return [Portion(job.folder(), "*/lessons.npz", 1, seconds)]
    first = replace(job, seed=job.split.seed)
    seconds = pace.answer_s(other) * images * distil.MANY_SETS
    answers = Portion(first.folder(other), f"*/seed-{job.seed}/mixed-lessons.npz", 1, seconds)
    return [_trained(first, registry.get(other), pace), answers]


def _rounds(job: TrainingJob, pace: Pace) -> list[Portion]:
    from harness.training.compress import distil, pipeline

    name = str(job.network.pruned_from)
    whole, pruning = pace.rates[name].macs, job.network.pruning.for_images(job.dataset.image_shape)
    budget = job.targets.budget(pruning, whole)
    # a network's own bytes or latency say nothing of its size before it is cut
    budget = budget if budget.macs is not None else replace(budget, macs=pruning.target(whole))
    taught_by_parent = pruning.teacher is None or job.task is not None
    found: list[Portion] = []
    assistant: float | None = None
    before = float(whole)
    for part in pipeline.rounds(whole, budget, job.profile, len(job.split.train)):
        if assistant is None and taught_by_parent and before <= distil.LIVE_MACS:
            assistant = before
        answer_s = 0.0 if assistant is None else pace.answer_s(name, assistant)
        epoch_s = pace.seconds(name, part.macs) * _passed(job) + answer_s * len(job.split.train)
        for again in range(1 + budget.restarts * part.last):
            if assistant is not None and 0 < again == budget.restarts and budget.assistant:
                found.append(_assistant(job, pace, budget.assistant, assistant))
            place = f"*/round-{part.number}/" + (f"again-{again}*/" if again else "")
            found.append(Portion(job.folder(), place + STATE, part.epochs, epoch_s, start_s=2 * pace.small.start_s))
        before = part.macs
    return found


def _assistant(job: TrainingJob, pace: Pace, epochs: int, macs: float) -> Portion:
    """The further tuning of the network that answers in the teacher's place."""
    epoch_s = pace.seconds(str(job.network.pruned_from), macs) * _passed(job)
    epochs = epochs if job.profile == "full" else epochs // 4
    return Portion(job.folder(), f"*/assistant/{STATE}", epochs, epoch_s, start_s=pace.small.start_s)
