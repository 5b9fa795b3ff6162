"""Comparing distributions: f-divergences, kernel and classifier two-sample tests."""
