"""Commands of the application `public`."""
