"""Who somebody is: people, machines, tokens, certificates. Imports `realm`."""
