"""The commands of the command line, one per file: each has a SUMMARY and a main(arguments)."""
