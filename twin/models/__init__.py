"""The models that a Plant can name, each a module with its equations, its numbers and their sources."""
