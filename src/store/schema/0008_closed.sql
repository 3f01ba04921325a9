-- What the card says of calls to the outside (space/card.h): 1, the app may make none.
ALTER TABLE spaces ADD COLUMN app_closed INTEGER NOT NULL DEFAULT 0;
