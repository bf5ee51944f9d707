"""Antibody: a 7 L fed batch of CHO cells after Craven, Kotidis and de Tremblay."""
