"""Figures of samples, curves and trade-offs (extra `workbench`)."""
