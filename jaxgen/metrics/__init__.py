"""Numbers to report: likelihoods, rates, active units; of samples, how far from the data.

| question | answer |
|---|---|
| the NLL of a VAE | `log_marginal`; `bits_per_dim` of it |
| may I believe it? | `importance_diagnostics`, `log_estimate` |
| which latents are used, and for what? | `active_units`, `kl_per_dimension`, `rate_terms` |
| how many bytes the images take, in fact | `send_losslessly`, `autoregressive_encode` |
| how far samples are from data, by features | `frechet_distance`, `kernel_distance` |
| variety apart from quality | `precision_recall` |
| which known modes are found | `mode_coverage` |
| do samples repeat each other, or the training set? | `repetition`, `support_size` |
| what features know of classes | `linear_probe`, `neighbor_accuracy` |
| is a translation right, with and without pairs | `translation_score`, `unpaired_scores` |
| how smooth a net is | `jacobian_norms` |
| an interval for any mean or share | `mean_interval`, `share_interval` |
"""

from jaxgen.boundary import doors
from jaxgen.metrics.autoregressive_code import (
    AutoregressiveCode,
    autoregressive_decode,
    autoregressive_encode,
)
from jaxgen.metrics.bits import bits_per_dim
from jaxgen.metrics.bits_back import (
    LatentCode,
    bits_back_decode,
    bits_back_encode,
    normal_bucket_probs,
    normal_buckets,
)
from jaxgen.metrics.class_neighbors import neighbor_accuracy
from jaxgen.metrics.confusion import Permutation, best_permutation, confusion_matrix
from jaxgen.metrics.duplicates import duplicate_share
from jaxgen.metrics.frechet import (
    FrechetDistance,
    GaussianMoments,
    frechet_distance,
    gaussian_frechet_distance,
    gaussian_moments,
)
from jaxgen.metrics.image_code import Sent, image_code, send_losslessly
from jaxgen.metrics.importance_diagnostics import ImportanceDiagnostics, importance_diagnostics
from jaxgen.metrics.interval import Interval, mean_interval, share_interval
from jaxgen.metrics.kernel_distance import kernel_distance
from jaxgen.metrics.latents import (
    RateTerms,
    active_units,
    kl_per_dimension,
    latent_information,
    rate_terms,
)
from jaxgen.metrics.linear_probe import LinearProbe, linear_probe
from jaxgen.metrics.log_estimate import LogEstimate, log_estimate, log_second_moment
from jaxgen.metrics.log_marginal import log_marginal
from jaxgen.metrics.modes import ModeCoverage, mode_coverage
from jaxgen.metrics.pareto import pareto_k
from jaxgen.metrics.parzen import parzen_bandwidth, parzen_log_likelihood
from jaxgen.metrics.pixel_code import one_pixel_code, pixel_code
from jaxgen.metrics.precision_recall import PrecisionRecall, precision_recall
from jaxgen.metrics.repetition import (
    Repetition,
    RepetitionScale,
    repetition,
    repetition_scale,
)
from jaxgen.metrics.smoothness import JacobianNorms, jacobian_norms
from jaxgen.metrics.support_size import SupportSize, support_size
from jaxgen.metrics.translation import (
    TranslationScore,
    TranslationTerms,
    translation_score,
    translation_terms,
)
from jaxgen.metrics.unpaired import UnpairedScores, disagreement, unpaired_scores

__all__ = [
    "AutoregressiveCode",
    "FrechetDistance",
    "GaussianMoments",
    "ImportanceDiagnostics",
    "Interval",
    "JacobianNorms",
    "LatentCode",
    "LinearProbe",
    "LogEstimate",
    "ModeCoverage",
    "Permutation",
    "PrecisionRecall",
    "RateTerms",
    "Repetition",
    "RepetitionScale",
    "Sent",
    "SupportSize",
    "TranslationScore",
    "TranslationTerms",
    "UnpairedScores",
    "active_units",
    "autoregressive_decode",
    "autoregressive_encode",
    "best_permutation",
    "bits_back_decode",
    "bits_back_encode",
    "bits_per_dim",
    "confusion_matrix",
    "disagreement",
    "duplicate_share",
    "frechet_distance",
    "gaussian_frechet_distance",
    "gaussian_moments",
    "image_code",
    "importance_diagnostics",
    "jacobian_norms",
    "kernel_distance",
    "kl_per_dimension",
    "latent_information",
    "linear_probe",
    "log_estimate",
    "log_marginal",
    "log_second_moment",
    "mean_interval",
    "mode_coverage",
    "neighbor_accuracy",
    "normal_bucket_probs",
    "normal_buckets",
    "one_pixel_code",
    "pareto_k",
    "parzen_bandwidth",
    "parzen_log_likelihood",
    "pixel_code",
    "precision_recall",
    "rate_terms",
    "repetition",
    "repetition_scale",
    "send_losslessly",
    "share_interval",
    "support_size",
    "translation_score",
    "translation_terms",
    "unpaired_scores",
]

doors(__name__)
