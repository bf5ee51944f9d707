"""The control loop: what decides, from a snapshot to a Decision; pure, without clock, wire, process or patient."""
