"""Keys, certificates, time stamps and tokens: what a signature rests on."""
