"""Every child against every family: complete by proof, then fast."""
