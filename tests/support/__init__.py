"""What tests share: valid calls, oracles, random settings, processes of their own."""
