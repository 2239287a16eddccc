"""The formats that pages and services read, one file each."""
