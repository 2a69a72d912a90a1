-- Security: what is remembered of strangers.

-- Accounts that do not exist here and to which a client wrote on a local day, as numbers made from their names.
CREATE TABLE nonexistent (
    -- An IPv4 address, or the first address of an IPv6 network of 64 bits.
    client  TEXT    NOT NULL,
    account INTEGER NOT NULL,
    -- As 2026-01-31.
    day     TEXT    NOT NULL,
    PRIMARY KEY (client, account)
) STRICT, WITHOUT ROWID;

-- Clients that are blocked for it until the day ends.
CREATE TABLE ban (
    client   TEXT    NOT NULL PRIMARY KEY,
    day      TEXT    NOT NULL,
    -- The address that was seen last.
    ip       TEXT    NOT NULL,
    accounts INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    -- The recipient that was one too many.
    last     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- How often rules of the black and white lists matched, by day.
CREATE TABLE list_hit (
    rule    TEXT    NOT NULL,
    -- Days since 1970 UTC.
    day     INTEGER NOT NULL,
    hits    INTEGER NOT NULL,
    -- The last one.
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (rule, day)
) STRICT, WITHOUT ROWID;
