"""Penicillin: a fed batch of about 100 L after Bajpai and Reuss, Birol and Goldrick."""
