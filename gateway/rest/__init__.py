"""The handlers of the REST interface, each group with the routes that lead to it."""
