"""What users pass as tables, and what becomes of it."""
