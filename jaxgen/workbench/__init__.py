"""What every recipe shares: its command line, run directory, progress, interrupts and pictures."""
