"""Many runs of one scenario: a grid over its keys, each point repeated with several seeds."""
