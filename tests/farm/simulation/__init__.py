"""Tests of farm.simulation."""
