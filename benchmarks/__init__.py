"""Measurements, one question a file; nothing imports them."""
