"""Parameter estimation from historical batches: files in, a fit, its report, a parameter file out."""
