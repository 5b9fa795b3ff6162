"""Networks: linen modules from arrays to arrays, for one datapoint; the players' for a batch."""

from jaxgen.nets.conv import ConvDecoder, ConvEncoder
from jaxgen.nets.mlp import MLP
from jaxgen.nets.players import MLPCritic, MLPGenerator
from jaxgen.nets.samples import append_minibatch_stddev, pack

__all__ = [
    "MLP",
    "ConvDecoder",
    "ConvEncoder",
    "MLPCritic",
    "MLPGenerator",
    "append_minibatch_stddev",
    "pack",
]
