"""From what the user names to a panel: built-in series, files, standard input, frames."""
