"""Sessions that another recorder has recorded: read from its files, and written as journals of ours."""
