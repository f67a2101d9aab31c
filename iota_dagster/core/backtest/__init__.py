"""Rules over history: what they would have found in the lake's past hours, and what the store has of them."""
