"""Algorithms over functions that are passed in: EM, per-datapoint optimisation, HMC, AIS, SMC."""
