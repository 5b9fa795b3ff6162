"""Networks: linen modules from arrays to arrays, for one datapoint; the players' for a batch.

`as_net` gives nets of any library the one form that models are made of.

| question | answer |
|---|---|
| vectors, or small images | `MLP`; of several inputs, `JointMLP` |
| an encoder and a decoder of images | `ConvEncoder`, `ConvDecoder` |
| a causal net, for `jaxgen.models.autoregressive` | `MADE`, `PixelCNN`, `CausalTransformer` |
| players on vectors | `MLPGenerator`, `MLPCritic` |
| players on images | `DCGANGenerator`, `ResidualGenerator` and their critics |
| an image into an image | `ResNetGenerator`, judged by `PatchCritic` |
| players that are told the class | `labeled`, `ProjectionCritic` |
| a critic of pairs, as (x, z) | `concatenated` |
| a critic that sees several samples | `pack`, `append_minibatch_stddev` |
| half of the memory | `half_precision` |
| a net of another library | `as_net` |
| what a net knows before its last layer | `last_features` |
"""

from jaxgen.boundary import doors
from jaxgen.nets.causal_transformer import CausalTransformer
from jaxgen.nets.concatenated import concatenated, vectors
from jaxgen.nets.conv import ConvDecoder, ConvEncoder
from jaxgen.nets.convolution import Convolution, DoublingConvolution
from jaxgen.nets.dcgan import DCGANCritic, DCGANGenerator, dcgan_channels
from jaxgen.nets.gated_pixel_cnn import GatedPixelCNN
from jaxgen.nets.half_precision import PRECISIONS, half_precision
from jaxgen.nets.instance_norm import instance_norm
from jaxgen.nets.joint_mlp import JointMLP
from jaxgen.nets.labeled import channels, labeled
from jaxgen.nets.last_features import last_features
from jaxgen.nets.made import MADE
from jaxgen.nets.mlp import MLP
from jaxgen.nets.mlp_players import MLPCritic, MLPGenerator, MLPTranslator
from jaxgen.nets.net import AnyNet, Net, NetApply, as_net
from jaxgen.nets.orders import even_degrees, random_degrees, random_orders, raster
from jaxgen.nets.packing import append_minibatch_stddev, pack
from jaxgen.nets.patch_critic import PatchCritic
from jaxgen.nets.pixel_cnn import PixelCNN
from jaxgen.nets.projection_critic import ProjectionCritic
from jaxgen.nets.residual import ResidualCritic, ResidualGenerator
from jaxgen.nets.resnet_generator import ResNetGenerator
from jaxgen.nets.strided import StridedConv, StridedConvTranspose
from jaxgen.nets.weight_normalized import WeightNormalized

__all__ = [
    "MADE",
    "MLP",
    "PRECISIONS",
    "AnyNet",
    "CausalTransformer",
    "ConvDecoder",
    "ConvEncoder",
    "Convolution",
    "DCGANCritic",
    "DCGANGenerator",
    "DoublingConvolution",
    "GatedPixelCNN",
    "JointMLP",
    "MLPCritic",
    "MLPGenerator",
    "MLPTranslator",
    "Net",
    "NetApply",
    "PatchCritic",
    "PixelCNN",
    "ProjectionCritic",
    "ResNetGenerator",
    "ResidualCritic",
    "ResidualGenerator",
    "StridedConv",
    "StridedConvTranspose",
    "WeightNormalized",
    "append_minibatch_stddev",
    "as_net",
    "channels",
    "concatenated",
    "dcgan_channels",
    "even_degrees",
    "half_precision",
    "instance_norm",
    "labeled",
    "last_features",
    "pack",
    "random_degrees",
    "random_orders",
    "raster",
    "vectors",
]

doors(__name__)
