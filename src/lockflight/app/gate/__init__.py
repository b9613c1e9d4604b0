"""The gate: checks, decisions, waivers, approvals, replays. Imports what is above it in this list."""
