"""What tests of several packages need to run real parts: waiting, browsers, processes."""
