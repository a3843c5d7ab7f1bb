"""Applications that come with the package; each is one file that a user could have written."""
