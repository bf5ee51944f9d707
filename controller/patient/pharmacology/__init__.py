"""Pharmacometrics of the drugs: kinetics, studies, population and its evidence."""
