"""Images made ready for a network inside the compiled step: crop, flip, normalize."""

import jax
import jax.numpy as jnp

from experiments.data.types import Preprocessing


def normalized(preprocessing: Preprocessing, images: jax.Array) -> jax.Array:
    """``(images / 255 - mean) / deviation``, float32 of the same shape.

    Args:
        preprocessing: with a mean and a deviation for each channel.
        images: uint8 of shape ``(n, height, width, channels)``.

    Raises:
        ValueError: if the number of channels isn't that of the means.

    Example:
        >>> import jax.numpy as jnp
        >>> from experiments.data import Preprocessing, normalized
        >>> gray = Preprocessing(mean=(0.5,), deviation=(0.25,))
        >>> normalized(gray, jnp.full((1, 1, 2, 1), 255, jnp.uint8)).ravel().tolist()
        [2.0, 2.0]
    """
    means = len(preprocessing.mean)
    if images.ndim != 4 or images.shape[-1] != means:
        raise ValueError(f"images must be (n, height, width, {means}), got {images.shape}")
    mean = jnp.asarray(preprocessing.mean, jnp.float32)
    deviation = jnp.asarray(preprocessing.deviation, jnp.float32)
    # Ranks and types are spelled out for callers that let JAX promote none.
    channels = (1, 1, 1, means)
    scaled = jnp.asarray(images, jnp.float32) / 255
    return (scaled - mean.reshape(channels)) / deviation.reshape(channels)


def augmented(preprocessing: Preprocessing, images: jax.Array, key: jax.Array) -> jax.Array:
    """Each image padded with black, cropped back at random, perhaps mirrored, then normalized.

    The shifts are uniform from ``-padding`` to ``padding`` in each direction, the mirror images
    half of all; every image has its own.

    Args:
        preprocessing: says how far and whether to mirror.
        images: uint8 of shape ``(n, height, width, channels)``.
        key: of this batch; the same key gives the same images.

    Returns:
        float32 of the same shape.
    """
    crop_key, flip_key = jax.random.split(key)
    if preprocessing.padding:
        images = _cropped(images, preprocessing.padding, crop_key)
    if preprocessing.flip:
        mirrored = jax.random.bernoulli(flip_key, 0.5, (len(images), 1, 1, 1))
        images = jnp.where(mirrored, images[:, :, ::-1], images)
    return normalized(preprocessing, images)


def _cropped(images: jax.Array, padding: int, key: jax.Array) -> jax.Array:
    rows_and_columns = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, rows_and_columns)
    corners = jax.random.randint(key, (len(images), 2), 0, 2 * padding + 1)

    def crop(image: jax.Array, corner: jax.Array) -> jax.Array:
        start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
        return jax.lax.dynamic_slice(image, start, images.shape[1:])

    return jax.vmap(crop)(padded, corners)
