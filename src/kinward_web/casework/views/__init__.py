"""Pages of the cases: parse, call an action, render."""
