"""The graphs, and what runs, compiles and submits them (`python -m pipelines --help`)."""
