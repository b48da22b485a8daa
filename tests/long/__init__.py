"""What takes too long for `make test`: the page's figures in a real Chromium, measured and written down."""
