"""The parts of a process, and how they are put together: all on one machine, or one alone."""
