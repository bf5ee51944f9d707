"""NeuroCore: learns on line how this plant differs from its model, and how unusual the present is."""
