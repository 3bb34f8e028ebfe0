"""The REST interface: routes and schemas over `farm`. Nothing lives here that could be tested without HTTP."""
