"""The kinds of clocks: how steps of each kind are spelt, numbered and continued."""
