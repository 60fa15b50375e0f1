"""The machines of a case and of a placement, custody, care places and the plan of a night."""
