"""Connections to boards: one small protocol, over SSH and local. No other package knows paramiko or subprocess."""
