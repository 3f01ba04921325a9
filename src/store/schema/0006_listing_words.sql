-- What entries of lists of models show of the card, apart from it: reading a card takes longer than
-- all the rest of an entry. Listings are made anew at the next start (space/sweep.h).
ALTER TABLE listings ADD COLUMN library TEXT NOT NULL DEFAULT '';
ALTER TABLE listings ADD COLUMN task TEXT NOT NULL DEFAULT '';
DELETE FROM listings;
