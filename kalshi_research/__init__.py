"""Kalshi event-contract markets as pandas DataFrames."""

__version__ = "0.1.0"
