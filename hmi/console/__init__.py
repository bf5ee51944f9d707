"""The operator console: a web page a reactor, which speaks JSON to the controller's gateway and nothing else."""
