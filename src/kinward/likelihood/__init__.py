"""Exact likelihoods of marker data on any pedigree."""
