"""How data sets are written as ArrayRecord files; libraries are imported when one is."""

from typing import Any


def from_tfds(name: str, data_dir: str) -> Any:
    """A builder of TensorFlow Datasets' catalogue; it needs TensorFlow."""
    import tensorflow_datasets as tfds

    return tfds.builder(name, data_dir=data_dir, file_format="array_record", try_gcs=False)


def tiny_imagenet(name: str, data_dir: str) -> Any:
    """The builder of this project; images are copied, so it needs no TensorFlow."""
    from experiments.data.tiny_imagenet import TinyImagenet

    del name
    return TinyImagenet(data_dir=data_dir, file_format="array_record")
