"""The HTTP edge: endpoints, authentication, pagination, problem documents, OpenAPI."""
