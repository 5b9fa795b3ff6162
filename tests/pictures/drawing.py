"""What a picture's file holds."""

import io

import numpy as np
from PIL import Image


def drawn(figure):
    """The PNG of the figure as pixels [height, width, 3] in 0..255."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))
