"""The commands of `neurotwin`, one module a subject; `controller.cli` puts them together."""
