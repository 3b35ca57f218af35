"""Where jobs rest. A store applies changes, reserves jobs and answers questions; it decides nothing."""
