"""Tables in and out: what they hold, reading, importing through the actions, exporting."""
