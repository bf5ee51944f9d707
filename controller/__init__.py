"""The loop: read, estimate, learn, forecast, propose, admit, and write with a lease."""
