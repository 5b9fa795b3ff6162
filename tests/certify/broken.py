"""Estimators that are wrong on purpose."""

import dataclasses


def scaled(estimator, factor):
    """A broken twin: the gradient times `factor`."""

    def apply(*arguments):
        surrogate, estimate = estimator.apply(*arguments)
        return factor * surrogate, estimate

    return dataclasses.replace(estimator, apply=apply)
