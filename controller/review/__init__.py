"""Review of recorded batches: report, export, replay and the difference between two decisions."""
