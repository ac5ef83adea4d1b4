"""PostgreSQL: the server in a data folder, connections, migrations, and errors said to people."""
