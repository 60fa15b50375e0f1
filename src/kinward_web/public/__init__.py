"""What is shown to the public: notices with two approvals and an end."""
