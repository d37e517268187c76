"""Connections to boards: one small protocol, SSH and local. Nothing above here knows paramiko or subprocess."""
