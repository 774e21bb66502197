"""The container images of the components, and what builds them (`make images`)."""
