"""A patient's data in and out: CSV, FHIR R4 and a health app's export, with one table of codes and units."""
