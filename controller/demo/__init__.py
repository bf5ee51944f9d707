"""The demonstration: a simulated plant, its controller and the console together."""
