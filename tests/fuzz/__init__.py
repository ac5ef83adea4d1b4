"""The API fuzzed at length, as it is served: `./dev fuzz`."""
