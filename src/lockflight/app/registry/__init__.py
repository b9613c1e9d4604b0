"""What is where: promotion, exposure, freeze, recall, standing. Imports all others."""
