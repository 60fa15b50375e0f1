"""Template tags of every page; `kinward` is built in, so templates need not load it."""
