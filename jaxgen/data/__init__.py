"""Images: the embedded digits, TFDS sets, one's own arrays; made floats in the compiled step."""

from jaxgen.data.image_set import ImageSet, from_arrays
from jaxgen.data.load import load
from jaxgen.data.pixels import dequantize, dynamic, scale, threshold

__all__ = ["ImageSet", "dequantize", "dynamic", "from_arrays", "load", "scale", "threshold"]
