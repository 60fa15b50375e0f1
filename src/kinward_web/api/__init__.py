"""The door for programs: `/api/v1/`, the same actions and the same refusals as the pages."""
