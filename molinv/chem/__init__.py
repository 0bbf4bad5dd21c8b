"""Readers: structures in."""
