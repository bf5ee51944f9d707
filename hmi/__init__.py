"""What people see: the operator console, and dashboards over the historian."""
