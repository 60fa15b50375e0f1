"""Oversight: a campaign in numbers, within the reach of whoever looks."""
