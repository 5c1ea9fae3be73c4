-- +goose Up

-- Lasting agreements with a partner. While one is not over, changes are logged in touched.
CREATE TABLE subscriptions (
    id       BLOB PRIMARY KEY,
    partner  TEXT NOT NULL,
    proposer INTEGER NOT NULL,
    state    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    next     INTEGER NOT NULL,
    over     INTEGER NOT NULL,
    restored INTEGER NOT NULL DEFAULT 0,
    sealed   BLOB NOT NULL
) STRICT;
CREATE INDEX subscriptions_created ON subscriptions (created);

-- One-use: never copied into a backup.
CREATE TABLE subscription_secrets (
    subscription BLOB PRIMARY KEY,
    sealed       BLOB NOT NULL
) STRICT;
CREATE TABLE standing (
    id           INTEGER PRIMARY KEY,
    subscription BLOB NOT NULL,
    feed         INTEGER NOT NULL,
    name         TEXT NOT NULL,
    number       INTEGER NOT NULL,
    sealed       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX standing_number ON standing (subscription, feed, name, number);

-- Values of which it may have changed whether they take part with some partner. Numbers
-- are not given out twice, also when all rows are gone.
CREATE TABLE touched (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    lookup   BLOB NOT NULL
) STRICT;

-- When a record expires, so that it is found without opening every record: Unix
-- milliseconds, 0 for never. What older versions wrote is filled in when the store is
-- opened; the counter holds the next record to look at, and goes when all are done.
ALTER TABLE records ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
ALTER TABLE merges ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
CREATE INDEX records_expires ON records (expires) WHERE expires > 0;
INSERT INTO counters (name, next) VALUES ('expiry', 1);
