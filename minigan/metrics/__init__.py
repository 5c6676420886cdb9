"""Is it any good? Distances, quality and variety, each on features (N, D) of the user's choice.

A number on Inception-v3's features is the FID, KID or IS of the papers. On any other features it
has no such name: say which, "Fréchet distance (digit features)", and always say n.
"""

from .features import NAMES, Extractor, classifier_of, digits, extractor, inception, pixels
from .frechet import frechet_distance, moments
from .inception_score import InceptionScore, inception_score, softmax
from .kernel import KernelDistance, kernel_distance, kid, mmd
from .manifold import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from .mixture import ModeCoverage, mode_coverage, perfect_mode_coverage
from .msssim import ms_ssim, ms_ssim_diversity
from .parzen import Parzen, parzen_log_likelihood
from .report import Report, Row, evaluate, mixture_std, to_unit
