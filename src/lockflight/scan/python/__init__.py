"""What Python source does: names, flow, rules. Used by the checks of code."""
