"""Images: the embedded digits, TFDS sets, folders, one's own arrays; unpaired domains of them.

They stay uint8 on the host, and become floats, and random views, in the compiled step.

| question | answer |
|---|---|
| a set of images by its name | `load` |
| a folder of my images | `load_folder` |
| my own arrays | `from_arrays` |
| bits out of gray levels | `dynamic`, `threshold` |
| floats for a flow or another density | `dequantizer`; `scale` for anything else |
| random views in training | `random_crop`, `random_flip`, one after another by `compose` |
| changes that a gradient passes through, before a critic | `random_color`, `random_translation` |
| two domains without pairs, the true ones known | `unpaired`, by `TRANSLATIONS` |
| a file of a folder that cannot be read | `refuse` or `skip` |
"""

from jaxgen.boundary import doors
from jaxgen.data.augment import Transform, compose, random_crop, random_flip, resize
from jaxgen.data.differentiable_augment import random_color, random_cutout, random_translation
from jaxgen.data.folder import load_folder, refuse, skip
from jaxgen.data.image_set import ImageSet, from_arrays
from jaxgen.data.load import load
from jaxgen.data.pixels import dequantizer, dynamic, scale, threshold
from jaxgen.data.translation import (
    TRANSLATIONS,
    Translation,
    UnpairedDomains,
    every_image,
    inverted,
    rare_upper_half,
    rotated_and_inverted,
    unpaired,
)

__all__ = [
    "TRANSLATIONS",
    "ImageSet",
    "Transform",
    "Translation",
    "UnpairedDomains",
    "compose",
    "dequantizer",
    "dynamic",
    "every_image",
    "from_arrays",
    "inverted",
    "load",
    "load_folder",
    "random_color",
    "random_crop",
    "random_cutout",
    "random_flip",
    "random_translation",
    "rare_upper_half",
    "refuse",
    "resize",
    "rotated_and_inverted",
    "scale",
    "skip",
    "threshold",
    "unpaired",
]

doors(__name__)
