"""What is lost when things are killed, disks fill up and folders are locked; see `__main__`."""
