"""The files that the hub sends, a module and a layout (JSON) each. A module's ``EXPORT`` is found by looking."""
