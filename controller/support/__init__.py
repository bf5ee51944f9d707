"""What every part may lean on: faults told in a sentence, child processes, a hash chain, a cluster, printing."""
