"""PharmacoLoop: what would be better, for a bioreactor and for a patient."""
