"""Human-machine interface: the operator console, and dashboards over the historian."""
