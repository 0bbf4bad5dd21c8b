"""The commands of the command line, one file each: a SUMMARY and a main(arguments)."""
