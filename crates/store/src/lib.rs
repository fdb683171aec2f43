//! Durable state: accounts, keys, inbound services, reservations, call records.
