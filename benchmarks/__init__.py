"""What is measured, against whom; `python -m benchmarks.<name>` prints the figures."""
