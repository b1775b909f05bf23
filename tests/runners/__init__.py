"""What make runs besides pytest and the campaigns: each is a program of its own."""
