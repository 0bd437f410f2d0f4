"""Notes, Merkle log, checkpoints, cosignatures, records, seals, trust: pure."""
