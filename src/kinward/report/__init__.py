"""Reports: pedigree drawings, decisions in words, one self-contained page."""
