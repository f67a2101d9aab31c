"""How log objects come to be known: messages, keys and listings → the ledger, and who asks for a run of an hour."""
