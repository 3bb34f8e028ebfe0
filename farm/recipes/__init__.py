"""Recipes: named specifications in files that a person can copy and change."""
