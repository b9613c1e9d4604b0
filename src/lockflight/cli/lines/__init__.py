"""Lines that several commands print: rules, findings, waivers, makers."""
