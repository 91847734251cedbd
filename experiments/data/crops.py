"""Photographs of any size cut to squares of 224 pixels, on the host."""

import numpy as np
from PIL import Image

SIDE = 224
_TEST_SIDE = 256
_TRIES = 10

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def random_crop(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random part of the image resized to the square, mirrored half of the time.

    The part's area is uniform from 8% to 100% of the image, the logarithm of its width / height
    uniform from that of 3/4 to that of 4/3 (Szegedy et al. 2015, section 6).

    Args:
        image: uint8 of shape ``(height, width, 3)``.
        generator: draws the part.

    Returns:
        uint8 of shape ``(224, 224, 3)``.
    """
    height, width, _ = image.shape
    square = _resized(image, _random_box(height, width, generator))
    return square[:, ::-1] if generator.random() < 0.5 else square


def center_crop(image: np.ndarray) -> np.ndarray:
    """The center of the image, resized as if its shorter side had 256 pixels and cut to 224."""
    height, width, _ = image.shape
    side = min(height, width) * SIDE / _TEST_SIDE
    return _resized(image, _centered(height, width, side, side))


def _random_box(height: int, width: int, generator: np.random.Generator) -> Box:
    for _ in range(_TRIES):
        area = height * width * generator.uniform(0.08, 1)
        ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)))
        box_height, box_width = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
        if 0 < box_height <= height and 0 < box_width <= width:
            top = int(generator.integers(height - box_height + 1))
            left = int(generator.integers(width - box_width + 1))
            return left, top, left + box_width, top + box_height
    # Images so long that no try fits: the largest part in the middle of an allowed shape.
    return _centered(height, width, min(height, width * 4 / 3), min(width, height * 4 / 3))


def _centered(height: int, width: int, box_height: float, box_width: float) -> Box:
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return left, top, left + box_width, top + box_height


def _resized(image: np.ndarray, box: Box) -> np.ndarray:
    square = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
    return np.asarray(square)
