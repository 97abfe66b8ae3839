"""Requests to answers: one function per API, `handler(broker, call, message, reply)`."""
