"""Documents: orders, shipments, returns, quotes and leads, each with its versions, which never change."""
