"""The harness measured: decks with their truth, and the score of any harness that is run through them."""
