"""Commands of `kinward manage`."""
