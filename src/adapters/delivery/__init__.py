"""Messages on their way out: rendering, the carriers, and the reader that claims and sends."""
