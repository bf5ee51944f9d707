"""The names of a patient's file that the rest of the program uses; `controller.patient_data` is where they live."""

from __future__ import annotations

from controller.patient_data.reader import read, rows_from_csv
from controller.patient_data.samples import PatientFileFault, Recording, Sample

__all__ = ["PatientFileFault", "Recording", "Sample", "read", "rows_from_csv"]
