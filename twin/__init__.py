"""What we believe about the plant: models, estimation and forecasts, pure and without a clock."""
