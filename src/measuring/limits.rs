//! What this machine can do: the yardstick that every later figure is held against.
