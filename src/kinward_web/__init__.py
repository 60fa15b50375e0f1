"""The web application of Kinward: from the rescue to a safe bed, and home."""
