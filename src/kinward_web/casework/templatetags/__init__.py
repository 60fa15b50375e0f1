"""Template tags of casework."""
