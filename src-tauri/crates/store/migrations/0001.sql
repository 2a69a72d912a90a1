-- The first shape of the database. A migration that was released is never edited again.

-- Who changed the settings, when and why.
CREATE TABLE revision (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    author TEXT    NOT NULL,
    reason TEXT    NOT NULL
) STRICT;

-- Every value a setting ever had; to_revision is the first revision in which it no longer held.
CREATE TABLE setting (
    section       TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    value         TEXT    NOT NULL,
    from_revision INTEGER NOT NULL REFERENCES revision (id),
    to_revision   INTEGER REFERENCES revision (id),
    PRIMARY KEY (section, key, from_revision)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX setting_in_force ON setting (section, key) WHERE to_revision IS NULL;

-- Password hashes and keys: apart from the settings, so that no revision or export ever holds one.
CREATE TABLE secret (
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    value         BLOB    NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE login_failure (
    id    INTEGER PRIMARY KEY,
    ip    TEXT    NOT NULL,
    at_ms INTEGER NOT NULL,
    login TEXT    NOT NULL
) STRICT;
CREATE INDEX login_failure_by_ip ON login_failure (ip, at_ms);
CREATE INDEX login_failure_by_time ON login_failure (at_ms);

-- One row for every connection, transaction and login.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token      TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('connection', 'transaction', 'login')),
    outcome    TEXT    NOT NULL CHECK (outcome IN ('accepted', 'refused', 'deferred', 'aborted', 'dropped')),
    client_ip  TEXT    NOT NULL,
    helo       TEXT    NOT NULL,
    login      TEXT    NOT NULL,
    sender     TEXT    NOT NULL,
    recipients TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    message_id TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    reply      TEXT    NOT NULL,
    decided_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    -- Six characters repeat after years; the moment tells such records apart.
    UNIQUE (token, at_ms)
) STRICT;
CREATE INDEX journal_by_time ON journal (at_ms, id, kind, outcome);

-- The large part of a record, apart so that a search through the journal does not read it.
CREATE TABLE journal_detail (
    id    INTEGER PRIMARY KEY REFERENCES journal (id) ON DELETE CASCADE,
    facts TEXT NOT NULL,
    trace TEXT NOT NULL
) STRICT;

-- What another process asks of the running server.
CREATE TABLE request (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL,
    body           TEXT    NOT NULL,
    asked_at_ms    INTEGER NOT NULL,
    answered_at_ms INTEGER,
    answer         TEXT
) STRICT;
CREATE INDEX request_open ON request (id) WHERE answered_at_ms IS NULL;

-- What the running server says of itself.
CREATE TABLE state (
    key   TEXT    PRIMARY KEY,
    value TEXT    NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
