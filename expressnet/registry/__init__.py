"""Registered models and their champions: MLflow, the sealed files, the promotion gate."""
