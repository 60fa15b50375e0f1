"""Synthetic registries and campaigns whose truth is known."""
