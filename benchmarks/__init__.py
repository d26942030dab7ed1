"""Measurements that README and docs quote; each script prints a table."""
