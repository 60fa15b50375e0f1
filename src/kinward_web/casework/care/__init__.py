"""Care places and the plan of a night: what is there, who goes where, and accepting it."""
