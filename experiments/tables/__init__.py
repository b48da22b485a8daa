"""The events of an experiment as tables: typed columns, times in seconds since the first start, written as Parquet."""
