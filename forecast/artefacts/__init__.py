"""Files that a stranger may have made: opened, bounded and checked before anything of their size is allocated."""
