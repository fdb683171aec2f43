-- Who people are at an OpenID Connect provider.
CREATE TABLE identities (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL, -- the provider's own name for them, which it gives to nobody else
    person_id  INTEGER NOT NULL REFERENCES people (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identities_by_person ON identities (person_id, issuer);

-- What groups at the provider give is renewed at each signing in; what is given by hand stays.
ALTER TABLE people ADD COLUMN is_operator_by_group INTEGER NOT NULL DEFAULT 0 CHECK (is_operator_by_group IN (0, 1));
ALTER TABLE people_roles ADD COLUMN is_by_group INTEGER NOT NULL DEFAULT 0 CHECK (is_by_group IN (0, 1));

-- Made on the machine itself: it counts also where passwords are switched off.
ALTER TABLE invitations ADD COLUMN is_of_machine INTEGER NOT NULL DEFAULT 0 CHECK (is_of_machine IN (0, 1));
