"""Connections to boards: one small protocol with an SSH and a local form. No other package knows paramiko or
subprocess.
"""
