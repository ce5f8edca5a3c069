"""Tests of what needs neither a server nor a Label Studio."""
