"""Data sets: small ones on the device, large ones as a stream, none downloaded unless asked."""

from experiments.data.augmentation import augmented as augmented
from experiments.data.augmentation import normalized as normalized
from experiments.data.catalog import DataName as DataName
from experiments.data.catalog import SmallName as SmallName
from experiments.data.digits import class_batch as class_batch
from experiments.data.loading import load as load
from experiments.data.streaming import first_of_each as first_of_each
from experiments.data.streaming import stream as stream
from experiments.data.streaming import streamed as streamed
from experiments.data.types import Batch as Batch
from experiments.data.types import DataSet as DataSet
from experiments.data.types import Examples as Examples
from experiments.data.types import Preprocessing as Preprocessing
from experiments.data.types import Streamed as Streamed
