"""Images: the embedded digits, TFDS sets, one's own arrays; made floats in the compiled step."""

from jaxgen.data.image_set import ImageSet, from_arrays
from jaxgen.data.load import load
from jaxgen.data.pixels import dequantizer, dynamic, scale, threshold

__all__ = ["ImageSet", "dequantizer", "dynamic", "from_arrays", "load", "scale", "threshold"]
