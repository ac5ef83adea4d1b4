"""The parts of a process, and how they are put together: in one process, or one alone."""
