"""Who did and read what: a hash chain that is only appended to."""
