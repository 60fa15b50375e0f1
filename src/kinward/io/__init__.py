"""Reading and writing files: every fault located by file, row and locus, nothing lost silently."""
