"""Transactions: who may write in which one, how it ends, and what of it is durable."""
