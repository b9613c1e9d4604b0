"""Commands about verdicts: check, decision, approvals, waivers, replay."""
