"""The reference scenario: one patient on an SSRI, advisory and for research use only."""
