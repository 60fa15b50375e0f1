"""Kinward: bring children rescued from trafficking back to their families."""
