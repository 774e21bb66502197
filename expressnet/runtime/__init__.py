"""What every stage stands on: storage, console, journal, worker processes, code version."""
