"""How peers play, as pure wrappers around a core: one class serves the simulator and real processes."""
