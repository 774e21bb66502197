"""What travels between stages: one class per folder or file, its names, its schema, how it is read and written."""
