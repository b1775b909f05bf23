"""Tables of users': columns of numbers and categories, and what a network is to read of them."""
