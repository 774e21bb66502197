"""Made inputs and stand-ins that tests and benchmarks share: data, hostile files, servers. Benchmarks import it too."""
