"""The metrics that judge outputs. They run on the controller, since labels never leave it."""
