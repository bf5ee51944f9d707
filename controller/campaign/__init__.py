"""Campaigns: the same batches under several strategies, in process, through the same `turn()` as a live reactor."""
