-- Names that are telephone numbers are found whatever separators they are written with (RFC 3966, section 5.1.1). The
-- expression is that of `number_key!` in services.rs.
CREATE INDEX inbound_services_number ON inbound_services (
    replace(replace(replace(replace(substr(name, 1, instr(name || ';', ';') - 1), '-', ''), '.', ''), '(', ''), ')', '')
);
