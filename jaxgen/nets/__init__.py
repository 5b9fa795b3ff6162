"""Networks: linen modules from arrays to arrays, written for one datapoint."""

from jaxgen.nets.conv import ConvDecoder, ConvEncoder
from jaxgen.nets.mlp import MLP

__all__ = ["MLP", "ConvDecoder", "ConvEncoder"]
