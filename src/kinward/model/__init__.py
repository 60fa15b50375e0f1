"""What is known before any computation: pedigrees, profiles, loci, frequencies, mutation."""
