-- Who people are at an OpenID Connect provider.
CREATE TABLE identities (
    issuer     TEXT   COLLATE "C" NOT NULL,
    subject    TEXT   COLLATE "C" NOT NULL, -- the provider's own name for them, which it gives to nobody else
    person_id  BIGINT NOT NULL REFERENCES people (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE UNIQUE INDEX identities_by_person ON identities (person_id, issuer);

-- What groups at the provider give is renewed at each signing in; what is given by hand stays.
ALTER TABLE people ADD COLUMN is_operator_by_group BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE people_roles ADD COLUMN is_by_group BOOLEAN NOT NULL DEFAULT FALSE;

-- Made on the machine itself: it counts also where passwords are switched off.
ALTER TABLE invitations ADD COLUMN is_of_machine BOOLEAN NOT NULL DEFAULT FALSE;
