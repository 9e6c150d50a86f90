"""`python -m vlprompt` does the same as `vlprompt`."""

from vlprompt.cli import main

main()
