"""The local page that answers for a photograph."""
