"""How each of `metrics.METRICS` is measured: a subject in, estimates by name out.

What one function gives comes from one pass. Held-out images are meant unless a name says otherwise.
Each function draws from generators of its own, so that its numbers depend on the seed alone.
"""

from infovae_core.measures.bounds import donsker_varadhan, f_dual, info_nce, mine
from infovae_core.measures.classes import (
    probe_knn,
    probe_logistic,
    probe_mlp,
    samples,
    svc_error_100,
    svc_error_1000,
)
from infovae_core.measures.codes import activity, covariance, discrepancies, surgery
from infovae_core.measures.likelihood import annealing, bound, importance
from infovae_core.measures.subject import Subject

__all__ = [
    "Subject",
    "activity",
    "annealing",
    "bound",
    "covariance",
    "discrepancies",
    "donsker_varadhan",
    "f_dual",
    "importance",
    "info_nce",
    "mine",
    "probe_knn",
    "probe_logistic",
    "probe_mlp",
    "samples",
    "surgery",
    "svc_error_100",
    "svc_error_1000",
]
