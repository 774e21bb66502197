"""What a person does with a workspace besides running a pipeline."""
