"""One recipe a file: what it shows, what to expect and the command; nothing imports them."""
