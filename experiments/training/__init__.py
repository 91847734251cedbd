"""Training of pruned networks, the one way of all studies: a `Task` and `train_network`.

task = load_task("small-vgg", "digits", PRESETS["digits"])
network = task.make(key)
state, loss, _ = train_network(task, network, mask, key)
accuracy(task, state)

Below it are compiled steps (`train_epoch`, `evaluate`) and runs kept on disk (`fit`).
"""

from experiments.training.compaction import Compacted as Compacted
from experiments.training.compaction import compacted as compacted
from experiments.training.evaluation import evaluate as evaluate
from experiments.training.fit import EpochRow as EpochRow
from experiments.training.fit import NonFiniteLossError as NonFiniteLossError
from experiments.training.fit import fit as fit
from experiments.training.recipes import PRESETS as PRESETS
from experiments.training.recipes import PUBLISHED as PUBLISHED
from experiments.training.recipes import Recipe as Recipe
from experiments.training.recipes import overridden as overridden
from experiments.training.recipes import preset_for as preset_for
from experiments.training.recipes import sgd as sgd
from experiments.training.scoring import Member as Member
from experiments.training.scoring import make_member as make_member
from experiments.training.scoring import pruned_masks as pruned_masks
from experiments.training.scoring import scoring_batch as scoring_batch
from experiments.training.scoring import shuffled as shuffled
from experiments.training.state import Metrics as Metrics
from experiments.training.state import Network as Network
from experiments.training.state import Setup as Setup
from experiments.training.state import TrainState as TrainState
from experiments.training.state import init_state as init_state
from experiments.training.state import split_network as split_network
from experiments.training.steps import optimizer_step as optimizer_step
from experiments.training.steps import shuffled_batches as shuffled_batches
from experiments.training.steps import train_epoch as train_epoch
from experiments.training.steps import train_step as train_step
from experiments.training.steps import train_steps as train_steps
from experiments.training.task import Task as Task
from experiments.training.task import load_task as load_task
from experiments.training.task import make_task as make_task
from experiments.training.train import Trained as Trained
from experiments.training.train import accuracy as accuracy
from experiments.training.train import loss_and_accuracy as loss_and_accuracy
from experiments.training.train import train_network as train_network
from experiments.training.train import train_state as train_state
