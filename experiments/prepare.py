"""Data sets made ready for training, as ArrayRecord files.

Run it as python -m experiments.prepare cifar10.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow_datasets as tfds
import tyro

from experiments.data.catalog import DATA_SETS, PreparedName
from experiments.data.records import DATA_DIR, open_records
from experiments.runs.options import parse, refuse


@dataclass(frozen=True)
class Options:
    """Write a data set as ArrayRecord files, which training reads without TensorFlow.

    MNIST and CIFAR are downloaded. Tiny-ImageNet is made from tiny-imagenet-200.zip, ImageNet from
    ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, which you place in the manual folder.
    """

    name: tyro.conf.Positional[PreparedName]
    """Data set to prepare."""
    data_dir: Path = DATA_DIR
    """Folder of the data sets: it goes to NAME/VERSION in it."""
    manual_dir: Path | None = None
    """Folder with the archives that can't be downloaded, by default downloads/manual in
    --data-dir."""


def main(args: Sequence[str] | None = None) -> None:
    """Prepares the data set that the command line asks for and reads it back."""
    options = parse(Options, "python -m experiments.prepare", args)
    _check_installed(options.name)
    try:
        _prepare(options)
        counts = [len(open_records(options.name, options.data_dir, train=x)) for x in (True, False)]
    # Each builder and every way to download has its own exceptions.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        refuse(f"can't prepare {options.name}: {reason}")
    folder = options.data_dir / options.name
    print(f"{folder} has {counts[0]} training and {counts[1]} test images")


def _check_installed(name: PreparedName) -> None:
    encoder = ["tensorflow"] if DATA_SETS[name].needs_tensorflow else []
    for module in (*encoder, "importlib_resources"):
        if importlib.util.find_spec(module) is None:
            extra = "pip install 'synflow_jax[prepare]'"
            refuse(f"preparing {name} needs {module}; get it with: {extra}")


def _prepare(options: Options) -> None:
    # TensorFlow, where there is one, greets on stderr otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    manual = options.manual_dir or options.data_dir / "downloads" / "manual"
    download = tfds.download.DownloadConfig(manual_dir=str(manual))
    builder = DATA_SETS[options.name].builder(options.name, str(options.data_dir))
    builder.download_and_prepare(download_config=download)


if __name__ == "__main__":
    main()
