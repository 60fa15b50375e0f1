"""What the case pages show, computed from the records; nothing here is stored."""
