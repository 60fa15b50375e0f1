"""People, links, households, operations, campaigns and documents."""
