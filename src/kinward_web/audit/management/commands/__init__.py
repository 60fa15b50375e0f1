"""Management commands of `audit`."""
