"""One stored example per event version, as it lies in the log; every release has to read all of them."""
