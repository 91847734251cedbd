"""The options of figure 3."""

from dataclasses import dataclass

from experiments.untrained.options import ScoreOptions, standard_subject


@dataclass(frozen=True)
class Options(ScoreOptions):
    """Score an untrained network by several methods and draw what enters each hidden unit against
    what leaves it. Nothing is pruned or trained.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        subject = standard_subject(self)
        if "resnet" in subject.model:
            raise ValueError(
                f"--model {subject.model}: units are told apart only where layers follow in a line"
            )
        if self.paper_data is not None:
            raise ValueError("--paper-data: no numbers were published for units")
