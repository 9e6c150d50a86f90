"""Panels for notebooks and for showing in class: a picture that a slider changes."""
