-- The disk of a Space. Each time that its storage is given up `data_drops` grows; `data_dropped`
-- follows once the image is gone, and nothing of the Space starts before. `data_bytes` is the size
-- that a run has had at /data, 0 while there is no image to miss.
ALTER TABLE spaces ADD COLUMN data_drops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spaces ADD COLUMN data_dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spaces ADD COLUMN data_bytes INTEGER NOT NULL DEFAULT 0;
