"""What nobody should do, and what happens at any moment: a result or an exception."""
