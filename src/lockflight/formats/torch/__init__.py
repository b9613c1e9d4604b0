"""What torch writes: archives, TorchScript, exported programs."""
