"""Figures of a model's answers: metrics, intervals, calibration, slices, comparison."""
