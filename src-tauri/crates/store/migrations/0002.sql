-- The queue: messages that Postroom answers for, and to whom each is still to go.

-- The number says where the message lies in the spool log: segment and place in it (spool.rs).
CREATE TABLE message (
    id             INTEGER PRIMARY KEY,
    token          TEXT    NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    -- Reverse-path as on the wire, empty for the null sender.
    sender         TEXT    NOT NULL,
    -- What MAIL said beside the sender, as JSON.
    parameters     TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    -- Trace fields of ours, which stand above the content.
    head           TEXT    NOT NULL,
    size           INTEGER NOT NULL,
    -- Name of a file in the spool folder when the content lies there and not in the log, and the check sum of what is in it.
    file           TEXT,
    file_seal      INTEGER
) STRICT;

-- id is 16384 times the message's number plus the place among its recipients.
CREATE TABLE recipient (
    id            INTEGER PRIMARY KEY,
    address       TEXT    NOT NULL,
    -- The user whose mailbox it is; empty for recipients elsewhere.
    mailbox       TEXT    NOT NULL,
    -- What RCPT said beside the address, as JSON; empty for nothing.
    parameters    TEXT    NOT NULL,
    destination   TEXT    NOT NULL,
    -- 0 waiting, 1 sending, 2 held, 3 to be returned to the sender.
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    attempts      INTEGER NOT NULL,
    next_at_ms    INTEGER NOT NULL,
    -- When the sender is to be told of a delay, or else when it expires.
    notice_at_ms  INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    reason        TEXT    NOT NULL
) STRICT;
CREATE INDEX recipient_due ON recipient (destination, next_at_ms) WHERE state = 0;
CREATE INDEX recipient_notice ON recipient (notice_at_ms) WHERE state = 0;
CREATE INDEX recipient_return ON recipient (id) WHERE state = 3;

-- Destinations that cannot be reached at present: nobody tries them before the pause is over.
CREATE TABLE destination (
    name        TEXT    PRIMARY KEY,
    failures    INTEGER NOT NULL,
    paused_until_ms INTEGER NOT NULL,
    reason      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of each attempt to deliver.
CREATE TABLE delivery (
    id        INTEGER PRIMARY KEY,
    token     TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    outcome   TEXT    NOT NULL CHECK (outcome IN ('delivered', 'deferred', 'failed', 'removed')),
    hop       TEXT    NOT NULL,
    reply     TEXT    NOT NULL
) STRICT;
CREATE INDEX delivery_by_token ON delivery (token, at_ms);

-- Up to where the spool log has been entered into the tables above.
CREATE TABLE spool_mark (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    number   INTEGER NOT NULL,
    -- Seals the records of this database: those of another one, lost or replaced, are not delivered again.
    identity INTEGER NOT NULL
) STRICT;
INSERT INTO spool_mark (id, number, identity) VALUES (1, 0, random());
