"""What the log says at a point: records, standing, waivers."""
