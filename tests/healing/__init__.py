"""Healing, seen from the SDKs above it and the provider below."""
