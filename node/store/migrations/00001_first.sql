-- +goose Up

-- Small sealed values by name: roster digest, active bundle, key check.
CREATE TABLE settings (
    name   TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Each list has its own dataset key, wrapped by the store key.
CREATE TABLE lists (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    category TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    basis    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    items    INTEGER NOT NULL DEFAULT 0,
    held     INTEGER NOT NULL DEFAULT 0,
    wrapped  BLOB NOT NULL
) STRICT;

-- Rows of an open import are invisible until its commit clears the flag.
CREATE TABLE imports (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    list INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT;

CREATE TABLE records (
    id         INTEGER PRIMARY KEY,
    list       INTEGER NOT NULL,
    import     INTEGER NOT NULL,
    shielded   INTEGER NOT NULL,
    never_with INTEGER NOT NULL,
    lookup     BLOB NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_lookup ON records (lookup, list);
CREATE INDEX records_list ON records (list);
CREATE INDEX records_shielded ON records (lookup) WHERE shielded = 1;
CREATE INDEX records_never_with ON records (lookup) WHERE never_with = 1;

-- What an open import will change in rows that were there before it.
CREATE TABLE merges (
    record     INTEGER PRIMARY KEY,
    import     INTEGER NOT NULL,
    shielded   INTEGER NOT NULL,
    never_with INTEGER NOT NULL,
    sealed     BLOB NOT NULL
) STRICT;

-- Rows that wait for the protection desk.
CREATE TABLE held (
    id     INTEGER PRIMARY KEY,
    list   INTEGER NOT NULL,
    import INTEGER NOT NULL,
    lookup BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX held_lookup ON held (lookup, list);
CREATE INDEX held_list ON held (list);

CREATE TABLE snapshots (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    partner TEXT NOT NULL,
    created INTEGER NOT NULL,
    items   INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;
CREATE TABLE snapshot_lists (
    snapshot INTEGER NOT NULL,
    list     INTEGER NOT NULL,
    PRIMARY KEY (snapshot, list)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_lists_list ON snapshot_lists (list);
CREATE TABLE segments (
    id       INTEGER PRIMARY KEY,
    snapshot INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    sealed   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX segments_number ON segments (snapshot, number);

CREATE TABLE rounds (
    id       BLOB PRIMARY KEY,
    partner  TEXT NOT NULL,
    proposer INTEGER NOT NULL,
    state    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    snapshot INTEGER NOT NULL,
    restored INTEGER NOT NULL DEFAULT 0,
    sealed   BLOB NOT NULL
) STRICT;
CREATE INDEX rounds_created ON rounds (created);

-- One-use: never copied into a backup.
CREATE TABLE round_secrets (
    round  BLOB PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
    id       INTEGER PRIMARY KEY,
    round    BLOB NOT NULL,
    run      INTEGER NOT NULL,
    flow     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sealed   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX journal_sequence ON journal (round, run, flow, sequence);

CREATE TABLE hits (
    round    BLOB NOT NULL,
    position INTEGER NOT NULL,
    state    TEXT NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (round, position)
) STRICT, WITHOUT ROWID;

-- The two signed chains, as signed. Gaps of a restore are part of a chain.
CREATE TABLE entries (
    chain    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    signed   BLOB NOT NULL,
    PRIMARY KEY (chain, sequence)
) STRICT;

CREATE TABLE quotas (
    partner TEXT NOT NULL,
    day     TEXT NOT NULL,
    items   INTEGER NOT NULL,
    PRIMARY KEY (partner, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE stopped (
    member TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE bundles (
    version INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,
    sealed  BLOB NOT NULL
) STRICT;

-- Numbers that are never given out twice, whatever is deleted.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, next) VALUES ('record', 1);
