"""The settings of every stage; the only home of a default."""
